"""Reads the bodies of bodies.json with Django REST framework, and notes under "django" what it reads differently.

    pip install django djangorestframework
    python compare_with_django.py
"""

import io
import json
from pathlib import Path

import django
from django.conf import settings

settings.configure()
django.setup()

from django.core.handlers.wsgi import WSGIRequest  # noqa: E402
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser  # noqa: E402
from rest_framework.request import Request  # noqa: E402

CORPUS = Path(__file__).with_name("bodies.json")
PARSERS = [JSONParser(), FormParser(), MultiPartParser()]


def read(case):
    body = case["body"].encode("latin-1")
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": case["content_type"],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    request = Request(WSGIRequest(environ), parsers=PARSERS)
    try:
        data = request.data
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    if not hasattr(data, "lists"):
        return {"json": data}
    fields = [[name, value] for name, values in data.lists() for value in values if isinstance(value, str)]
    files = [[name, file.read().decode("latin-1")] for name, values in request.FILES.lists() for file in values]
    return {"fields": fields, "files": files}


def expected(case):
    if "error" in case:
        return {"error": case["error"]}
    if "json" in case:
        return {"json": json.loads(case["json"])}
    return {"fields": case["fields"], "files": case.get("files", [])}


def agree(ours, theirs):
    """Errors agree whatever they say, and so do fields of different names in another order."""
    if "error" in ours or "error" in theirs or "json" in ours or "json" in theirs:
        return ours == theirs or "error" in ours and "error" in theirs
    return all(sorted(ours[key], key=lambda pair: pair[0]) == sorted(theirs[key], key=lambda pair: pair[0]) for key in ours)


cases = json.loads(CORPUS.read_text(encoding="utf-8"))
for case in cases:
    case.pop("django", None)
    theirs = read(case)
    if not agree(expected(case), theirs):
        case["django"] = theirs
lines = ",\n".join(" " + json.dumps(case, ensure_ascii=False) for case in cases)
CORPUS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
different = [case["name"] for case in cases if "django" in case]
print(f"Django {django.__version__} reads {len(different)} of {len(cases)} bodies differently:", *different, sep="\n  ")
