// What pages can do more with a script. Without it everything is there but the copy buttons, OPTIONS and the
// token: whatever only works with a script is hidden until it runs.
"use strict";
(() => {
  // The access token. It lives in this variable and nowhere else, so that it ends with the page.
  let token = "";
  let isBusy = false;
  // What was refused, or is not sent yet, would be lost as well.
  let isEdited = !!document.querySelector("[data-dirty]");
  // The page that is shown, without what stands after #.
  const here = () => location.pathname + location.search;
  let shown = here();

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => {
    const live = document.getElementById("live");
    live.textContent = "";
    live.textContent = text;
  };

  // Makes a document, or a part of it that is new, ready.
  const prepare = (root) => {
    all("[data-copy], [data-copy-json], [data-options], #authorize", root).forEach((it) => { it.hidden = false; });
    all("details[data-remember]", root).forEach((it) => {
      const was = recall(it);
      // A form that was refused stays in view.
      if (was !== null && !all("[aria-invalid]", it.parentElement).length) it.open = was === "open";
    });
    all("[data-focus]", root).slice(0, 1).forEach((it) => it.focus());
  };

  // Which details stood open, for this tab of the browser.
  const recall = (details) => {
    try { return sessionStorage.getItem("open:" + details.dataset.remember); } catch { return null; }
  };
  const remember = (details) => {
    try { sessionStorage.setItem("open:" + details.dataset.remember, details.open ? "open" : ""); } catch { /* Then not. */ }
  };

  // Only what this API serves is asked for with the token; its documents are no such pages.
  const isOurs = (url) => url.origin === location.origin && /^\/api\/(?!docs\b|schema\b)/.test(url.pathname);

  // Asks for a page as a person would, and returns its document.
  const ask = async (url, options = {}) => {
    if (isBusy) return null;
    isBusy = true;
    document.body.setAttribute("aria-busy", "true");
    try {
      const headers = { Accept: "text/html" };
      if (token && isOurs(url)) headers.Authorization = "Bearer " + token;
      const response = await fetch(url, { ...options, headers, credentials: "same-origin", cache: "no-store" });
      const text = await response.text();
      if (!(response.headers.get("Content-Type") || "").startsWith("text/html")) throw new Error(response.status);
      return { url: response.url, page: new DOMParser().parseFromString(text, "text/html") };
    } catch (error) {
      say("The server could not be asked: " + error.message);
      return null;
    } finally {
      isBusy = false;
      document.body.removeAttribute("aria-busy");
    }
  };

  // Puts a part of another page in the place of the same part of this one.
  const replace = (id, page) => {
    const fresh = page.getElementById(id);
    const old = document.getElementById(id);
    if (!fresh || !old) return null;
    const adopted = document.adoptNode(fresh);
    old.replaceWith(adopted);
    prepare(adopted);
    return adopted;
  };

  // Goes to a page with the token, which a load of the page would lose.
  const visit = async (url, options, keep) => {
    const answer = await ask(url, options);
    if (!answer) return;
    const main = replace("main", answer.page);
    if (!main) return;
    isEdited = false;
    document.title = answer.page.title;
    if (!keep) history.pushState({}, "", answer.url);
    shown = here();
    if (!main.contains(document.activeElement)) main.focus();
    scrollTo(0, 0);
  };

  const copy = async (button, text) => {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    say(button.textContent);
    setTimeout(() => { button.textContent = label; }, 1500);
  };

  const showOptions = async (button) => {
    const answer = await ask(new URL(button.dataset.options, location.href), { method: "OPTIONS" });
    // The forms stay as they are, with what was typed.
    const shown = answer && replace("answer", answer.page);
    if (shown) {
      shown.tabIndex = -1;
      shown.focus();
    }
  };

  // The address of a form that asks, with only what was filled in.
  const filtered = (form) => {
    const url = new URL(form.action);
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    url.search = new URLSearchParams(filled);
    return url;
  };

  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-copy], [data-copy-json], [data-options], a[href]");
    all("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
    if (!at) return;
    if (at.dataset.copy) copy(at, at.dataset.copy);
    else if ("copyJson" in at.dataset) copy(at, at.closest("section").querySelector(".json").textContent);
    else if (at.dataset.options) showOptions(at);
    else if (at.href && token && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      const url = new URL(at.href);
      const isHere = at.getAttribute("href").startsWith("#");
      if (isHere || !isOurs(url) || url.searchParams.get("format") === "json") return;
      event.preventDefault();
      if (!isEdited || confirm("Leave what you have typed?")) visit(url);
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    all("details.menu[open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if ("authorize" in form.dataset) {
      event.preventDefault();
      const field = form.querySelector("input");
      token = field.value.trim().replace(/^Bearer\s+/, "");
      field.value = "";
      return authorized();
    }
    if (isBusy) return event.preventDefault();
    isEdited = false;
    if ("filters" in form.dataset) {
      event.preventDefault();
      const url = filtered(form);
      if (token) visit(url);
      else location.assign(url);
    } else if (token && !("native" in form.dataset)) {
      event.preventDefault();
      const body = new FormData(form, event.submitter);
      const url = new URL(form.getAttribute("action"), location.href);
      visit(url, { method: "POST", body });
    } else if (!(form.elements.action?.value || "").startsWith("export")) {
      // The second click of a double click sends nothing.
      isBusy = true;
      document.body.setAttribute("aria-busy", "true");
    }
  });

  // Says whether there is a token, and shows the page as it is with or without it.
  const authorized = () => {
    const menu = document.getElementById("authorize");
    menu.open = false;
    menu.querySelector("summary").textContent = token ? "Authorized" : "Authorize";
    say(token ? "Requests are sent with your token." : "Requests are sent without a token.");
    if (!isEdited) visit(new URL(location.href), {}, true);
  };

  document.addEventListener("reset", (event) => {
    if (!("authorize" in event.target.dataset)) return;
    token = "";
    authorized();
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.dataset.remember) remember(event.target);
  }, true);

  document.addEventListener("input", (event) => {
    if (event.target.closest("[data-edited]")) isEdited = true;
  });

  addEventListener("beforeunload", (event) => { if (isEdited) event.preventDefault(); });
  addEventListener("popstate", () => {
    if (here() === shown) return;
    if (token) visit(new URL(location.href), {}, true);
    else location.reload();
  });
  // Back from another page: the one that was left is as it was.
  addEventListener("pageshow", () => {
    isBusy = false;
    document.body.removeAttribute("aria-busy");
  });

  prepare(document);
})();
