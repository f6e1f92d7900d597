"use strict";

// Shows and hides targets.
for (const box of document.querySelectorAll("input[data-target]")) {
  box.addEventListener("change", () => {
    document.body.classList.toggle("hide-" + box.dataset.target, !box.checked);
  });
}

// Switches between light and dark; starts with the system's setting.
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// Shows a mark's tooltip on hover or touch.
const note = document.getElementById("note");
for (const title of document.querySelectorAll("svg title")) {
  title.parentElement.dataset.note = title.textContent;
  title.remove();
}
document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("[data-note]");
  note.hidden = !mark;
  if (!mark) return;
  note.textContent = mark.dataset.note;
  const left = Math.min(event.clientX + 12, innerWidth - note.offsetWidth - 8);
  const above = event.clientY - note.offsetHeight - 12;
  note.style.left = Math.max(left, 8) + "px";
  note.style.top = (above > 0 ? above : event.clientY + 16) + "px";
});
