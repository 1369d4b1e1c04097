// Small helpers for building the page.
export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Drawn in a field of 24 by 24 with a round stroke.
const PATHS = {
  plus: "M12 5v14M5 12h14",
  more: "M12 5v.01M12 12v.01M12 19v.01",
  menu: "M5 7h14M5 12h14M5 17h14",
  clip: "M19.5 11.5l-7.6 7.6a4.8 4.8 0 0 1-6.8-6.8l8-8a3.2 3.2 0 0 1 4.5 4.5l-7.7 7.7a1.6 1.6 0 0 1-2.3-2.3l7-7",
  send: "M4 5.2 20.5 12 4 18.8l2-6.8zM6 12h7",
  photo: "M6 5h12a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM4.5 17l4.5-5 3.5 3.5 2.5-2.5 4.5 4M15.5 9v.01",
  file: "M7 3.5h6.5L18.5 8.5V19a1.5 1.5 0 0 1-1.5 1.5H7A1.5 1.5 0 0 1 5.5 19V5A1.5 1.5 0 0 1 7 3.5zM13.5 3.5V8.5h5",
  block: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM6.4 6.4l11.2 11.2",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v13M6 12.5l6 6 6-6",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  out: "M8 16l8-8M9.5 8H16v6.5",
  sent: "M4 12.5l4.5 4.5L18 7",
  taken: "M1.5 12.5L6 17l9.5-10M11.5 16l1 1L22 7",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function drawIcons() {
  for (const place of document.querySelectorAll("[data-icon]")) place.prepend(icon(place.dataset.icon));
}

const HUES = [[24, 6], [44, 28], [280, 262], [130, 110], [190, 200], [210, 226], [340, 326]];

// A round place for a picture that nobody has set: the first letter on a colour of one's own.
export function dress(element, id, name) {
  const [from, to] = HUES[id % HUES.length];
  element.textContent = [...name.trim()][0]?.toUpperCase() ?? "";
  element.style.background = `linear-gradient(hsl(${from} 85% 64%), hsl(${to} 72% 48%))`;
}

// A button that opens a small menu; Esc, a click elsewhere and a choice close it, arrows walk in it.
export function popup(button, menu) {
  const items = () => [...menu.querySelectorAll("button")];
  const toggle = (open) => {
    menu.hidden = !open;
    button.ariaExpanded = String(open);
  };
  button.addEventListener("click", () => {
    toggle(menu.hidden);
    if (!menu.hidden) items()[0].focus();
  });
  menu.addEventListener("click", () => toggle(false));
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") { toggle(false); button.focus(); }
    if (!step) return;
    event.preventDefault();
    const all = items();
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target) && !button.contains(event.target)) toggle(false);
  });
}

// A dialog closes on its «Отмена» and on a click beside it.
export function sheet(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.value === "cancel") dialog.close("");
  });
  return dialog;
}
