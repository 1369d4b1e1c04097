// The line one writes in, and the list of the bot's commands over it.
import { $, make } from "./dom.js";

const text = $("text"), list = $("commands"), menu = $("menu");
let commands = [], shown = [], current = 0, all = false;
let send = () => {};

export const composer = {
  start(onSend) {
    send = onSend;
    $("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
    text.addEventListener("input", () => { all = false; fit(); suggest(); });
    text.addEventListener("keydown", key);
    text.addEventListener("blur", () => setTimeout(() => { if (!menu.matches(":focus")) close(); }, 150));
    menu.addEventListener("click", () => {
      if (!list.hidden && all) { close(); return; }
      text.focus();
      all = true;
      suggest();
    });
  },
  get draft() { return text.value; },
  set draft(value) { text.value = value; fit(); close(); },
  set commands(value) {
    if (JSON.stringify(value) === JSON.stringify(commands)) return;
    commands = value;
    menu.hidden = !commands.length;
    if (!list.hidden) suggest();
  },
  focus() { text.focus(); },
};

function submit(value = text.value.trim()) {
  if (!value) return;
  composer.draft = "";
  send(value);
}

function key(event) {
  if (event.isComposing) return;
  const open = !list.hidden;
  if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    current = (current + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length;
    mark();
  } else if (open && event.key === "Escape") {
    event.preventDefault();
    close();
  } else if (open && event.key === "Tab" && !event.shiftKey && !all) {
    event.preventDefault();
    text.value = `/${shown[current].command} `;
    close();
  } else if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    if (open) submit(`/${shown[current].command}`);
    else submit();
  }
}

function suggest() {
  const typed = text.value.match(/^\/(\w*)$/)?.[1];
  shown = all ? commands : commands.filter((c) => typed !== undefined && c.command.startsWith(typed));
  if (!shown.length) { close(); return; }
  current = Math.min(current, shown.length - 1);
  list.replaceChildren(...shown.map(({ command, description }, i) => make("div", {
    id: `command-${i}`, role: "option", onpointerdown: (event) => event.preventDefault(), onclick: () => submit(`/${command}`),
  }, make("b", {}, `/${command}`), make("span", {}, description))));
  list.hidden = false;
  text.ariaExpanded = menu.ariaExpanded = "true";
  mark();
}

function mark() {
  [...list.children].forEach((option, i) => { option.ariaSelected = String(i === current); });
  text.setAttribute("aria-activedescendant", `command-${current}`);
  list.children[current].scrollIntoView({ block: "nearest" });
}

function close() {
  list.hidden = true;
  current = 0;
  all = false;
  text.ariaExpanded = menu.ariaExpanded = "false";
  text.removeAttribute("aria-activedescendant");
}

function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}
