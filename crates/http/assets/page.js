// Script of the pages. Without it, pages lack only the copy buttons, OPTIONS and the token: controls that need the
// script are hidden until it runs.
"use strict";
(() => {
  // The access token. It is stored in this variable only, so that it ends with the page.
  let token = "";
  let isBusy = false;
  // Whether input that was refused, or is not sent yet, would be lost as well.
  let isEdited = !!document.querySelector("[data-dirty]");
  // The URL of the shown page, without its fragment.
  const here = () => location.pathname + location.search;
  let shown = here();

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => {
    const live = document.getElementById("live");
    live.textContent = "";
    live.textContent = text;
  };

  // Initialises a document, or a new part of it.
  const prepare = (root) => {
    all("[data-copy], [data-copy-json], [data-options], #authorize", root).forEach((it) => { it.hidden = false; });
    all("details[data-remember]", root).forEach((it) => {
      const was = recall(it);
      // The details around a refused form stay open.
      if (was !== null && !all("[aria-invalid]", it.parentElement).length) it.open = was === "open";
    });
    all("[data-focus]", root).slice(0, 1).forEach((it) => it.focus());
  };

  // Stores which details are open, for this tab of the browser.
  const recall = (details) => {
    try { return sessionStorage.getItem("open:" + details.dataset.remember); } catch { return null; }
  };
  const remember = (details) => {
    try { sessionStorage.setItem("open:" + details.dataset.remember, details.open ? "open" : ""); } catch { /* Storage is disabled. */ }
  };

  // The token is sent only to pages of this API, which its documents are not.
  const isOurs = (url) => url.origin === location.origin && /^\/api\/(?!docs\b|schema\b)/.test(url.pathname);

  // Requests a page as a user would, and returns its document.
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

  // Replaces a part of this page with the same part of another page.
  const replace = (id, page) => {
    const fresh = page.getElementById(id);
    const old = document.getElementById(id);
    if (!fresh || !old) return null;
    const adopted = document.adoptNode(fresh);
    old.replaceWith(adopted);
    prepare(adopted);
    return adopted;
  };

  // Opens a page with the token, which a load of the page would lose.
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
    // The forms keep their input.
    const shown = answer && replace("answer", answer.page);
    if (shown) {
      shown.tabIndex = -1;
      shown.focus();
    }
  };

  // Returns the URL of a GET form, with only the fields that are filled in.
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

  // Shows whether there is a token, and the page with or without it.
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
  // After a return from another page, this page is in its previous state.
  addEventListener("pageshow", () => {
    isBusy = false;
    document.body.removeAttribute("aria-busy");
  });

  prepare(document);
})();
