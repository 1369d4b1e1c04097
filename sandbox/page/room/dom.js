// Small helpers of the machine room. Data goes into the page as text only.

/** An element with properties (or attributes, where a name has a dash) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Makes the children of `parent` those of `items`, in order; one is drawn again only when it has changed. */
export function keep(parent, items, key, draw) {
  const before = parent.kept ?? new Map();
  const after = new Map();
  for (const item of items) {
    const text = JSON.stringify(item);
    const known = before.get(key(item));
    after.set(key(item), known?.text === text ? known : { text, node: redraw(known?.node, draw(item)) });
  }
  for (const [name, { node }] of before) if (!after.has(name)) node.remove();
  let next = parent.firstChild;
  for (const { node } of after.values()) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  parent.kept = after;
}

// Whoever works by keyboard stays where they were, and what was opened stays open.
function redraw(old, fresh) {
  if (!old) return fresh;
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  const open = [...old.querySelectorAll("details")].map((details) => details.open);
  old.replaceWith(fresh);
  fresh.querySelectorAll("details").forEach((details, place) => { details.open = open[place] ?? false; });
  if (focused) fresh.querySelector(`[data-focus="${focused}"]`)?.focus();
  return fresh;
}

/** Posts to the machine room; whether it did so. */
export async function post(path, body) {
  const answer = await fetch(`/api/room/${path}`, { method: "POST", body: JSON.stringify(body ?? {}) });
  return answer.ok && !(await answer.json()).refused;
}

/** A button that posts; its `focus` name survives redrawing. */
export function poster(text, path, properties = {}) {
  return make("button", { type: "button", onclick: () => post(path), "data-focus": path, ...properties }, text);
}

export const clock = (at, options = {}) =>
  new Date(at * 1000).toLocaleTimeString("ru", { hour: "2-digit", minute: "2-digit", second: "2-digit", ...options });

export function seconds(value) {
  if (value < 10) return `${value.toFixed(1).replace(".", ",")} с`;
  return value < 100 ? `${Math.round(value)} с` : `${Math.round(value / 60)} мин`;
}

const RULES = new Intl.PluralRules("ru");
export function credits(number) {
  const form = { one: "кредит", few: "кредита" }[RULES.select(Math.abs(number))] ?? "кредитов";
  return `${number} ${form}`;
}

export const roubles = (kopecks) => `${(kopecks / 100).toLocaleString("ru")} ₽`;

export const nobody = (text) => make("p", { className: "empty" }, text);
