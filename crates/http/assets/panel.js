// Script of the panel: selects a page or a range of rows at once, suggests owners during input, and previews pictures.
// Everything else works without it.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Selection of rows.
  const form = document.querySelector("[data-bulk]");
  const ticks = form ? all("[data-tick]", form) : [];
  const head = form && form.querySelector("[data-tick-all]");
  const every = form && form.querySelector('[name="all"]');
  const count = form && form.querySelector("[data-count]");
  const tell = () => {
    const ticked = ticks.filter((tick) => tick.checked).length;
    head.checked = ticked > 0 && ticked === ticks.length;
    head.indeterminate = ticked > 0 && ticked < ticks.length;
    count.textContent = every.checked ? "all chosen" : ticked + " of " + ticks.length + " chosen";
  };
  if (head && ticks.length) {
    let last = null;
    head.hidden = false;
    count.hidden = false;
    head.addEventListener("change", () => {
      ticks.forEach((tick) => { tick.checked = head.checked; });
      tell();
    });
    every.addEventListener("change", tell);
    ticks.forEach((tick, index) => tick.addEventListener("click", (event) => {
      if (event.shiftKey && last !== null) {
        const [from, to] = [Math.min(last, index), Math.max(last, index)];
        ticks.slice(from, to + 1).forEach((between) => { between.checked = tick.checked; });
      }
      last = index;
      tell();
    }));
    // After a return from another page, browsers restore the checkboxes.
    addEventListener("pageshow", tell);
    tell();
  }

  // Suggestions of owners.
  all("[data-find]").forEach((field) => {
    const found = document.getElementById(field.getAttribute("list"));
    let asked = 0;
    let timer = 0;
    const find = async () => {
      const mine = ++asked;
      try {
        const response = await fetch(field.dataset.find + "?q=" + encodeURIComponent(field.value), { headers: { Accept: "application/json" } });
        if (!response.ok) return;
        const users = await response.json();
        if (mine !== asked) return;
        found.replaceChildren(...users.map((user) => new Option(user.name, user.username)));
      } catch { /* The button finds them as well. */ }
    };
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(find, 150);
    });
  });

  // Preview of pictures.
  all("[data-preview]").forEach((canvas) => {
    const field = document.getElementById(canvas.dataset.preview);
    field.addEventListener("change", async () => {
      canvas.hidden = true;
      if (!field.files.length) return;
      try {
        const picture = await createImageBitmap(field.files[0]);
        const scale = Math.min(1, 480 / picture.width, 320 / picture.height);
        canvas.width = Math.max(1, picture.width * scale);
        canvas.height = Math.max(1, picture.height * scale);
        canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
        canvas.hidden = false;
      } catch { /* The server says what is wrong with it. */ }
    });
  });
})();
