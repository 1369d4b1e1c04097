// The chat of one person with the bot: what is there comes from /api/chat, and again after every change.
import { api } from "./api.js";
import { attachments } from "./attach.js";
import { composer } from "./composer.js";
import { $, drawIcons, dress, popup, sheet } from "./dom.js";
import { Messages } from "./messages.js";
import { people } from "./people.js";

const SOON_MS = 40, TOAST_MS = 3500, ACTION_MS = 5000;
const ACTIONS = {
  typing: "печатает", upload_photo: "отправляет фото", upload_document: "отправляет файл",
  record_video: "записывает видео", upload_video: "отправляет видео", record_voice: "записывает голос",
  upload_voice: "отправляет голос", choose_sticker: "выбирает стикер", find_location: "ищет место",
};

// The payment page leads back to ?person=…&start=success, as to t.me/bot?start=success: it opens the chat and tells the bot.
const wayBack = new URLSearchParams(location.search);
history.replaceState(null, "", location.pathname);

let person = Number(wayBack.get("person") ?? sessionStorage.getItem("person")) || 101;
sessionStorage.setItem("person", person);
let state = null, unread = 0;
const pressed = new Set();
const drafts = new Map(), places = new Map();

const messages = new Messages($("messages"), $("log"), { press, command: (text) => send(text), view, pay });

async function refresh() {
  const who = person;
  try {
    state = await api.chat(who);
  } catch (error) {
    if (error instanceof TypeError || who === 101) return;
    choose(101);
    return;
  }
  if (who === person) draw();
}

function draw() {
  const me = state.people.find((p) => p.id === person);
  const waiting = new Set(state.presses.filter((p) => p.waiting).map((p) => `${p.message} ${p.data}`));
  const first = !$("messages").childElementCount;
  unread += messages.draw(state.messages, waiting);
  if (first && places.has(person)) $("log").scrollTop = places.get(person);
  people.draw(state.people, person, messages.atEnd);
  dress($("bot-avatar"), state.bot.id, state.bot.first_name);
  $("bot-name").textContent = state.bot.first_name;
  status(state.action);
  composer.commands = state.commands;
  const empty = !state.messages.length;
  $("empty").hidden = !empty;
  swap(me.blocked ? "unblock" : "form");
  $("block").lastElementChild.textContent = me.blocked ? "Разблокировать бота" : "Заблокировать бота";
  for (const { id, answer } of state.presses) if (answer && pressed.delete(id)) tell(answer);
  endButton();
}

let actionEnds = 0;
function status(action) {
  $("bot-status").textContent = action ? `${ACTIONS[action] ?? "занят"}…` : "бот";
  $("bot-status").classList.toggle("acting", Boolean(action));
  clearTimeout(actionEnds);
  if (action) actionEnds = setTimeout(refresh, ACTION_MS);
}

// The line to write in, or «Разблокировать».
function swap(wanted) {
  const before = ["form", "unblock"].find((id) => !$(id).hidden);
  if (before === wanted) return;
  const focused = document.activeElement === document.body || $(before).contains(document.activeElement);
  for (const id of ["form", "unblock"]) $(id).hidden = id !== wanted;
  if (focused) (wanted === "form" ? $("text") : $(wanted)).focus();
}

function tell({ text, show_alert }) {
  if (text && show_alert) {
    $("alert-text").textContent = text;
    if (!$("alert").open) $("alert").showModal();
  } else if (text) {
    toast(text);
  }
}

let toastEnds = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => { $("toast").hidden = true; }, TOAST_MS);
}

async function trying(work) {
  try {
    return await work;
  } catch (error) {
    toast(error instanceof TypeError ? "Песочница не отвечает" : `Не отправилось: ${error.message}`);
    return null;
  }
}

const send = (text, files, as) => trying(api.send(person, text, files, as));

async function press(message, button) {
  const answer = await trying(api.press(person, message.id, button.callback_data));
  if (!answer) return;
  pressed.add(answer.query);
  refresh();
}

// Telegram asks the person, then the bot, and only then takes the Stars.
function pay(id, invoice) {
  const dialog = $("pay");
  $("pay-title").textContent = invoice.title;
  $("pay-text").textContent = invoice.description;
  $("pay-stars").textContent = `Подтвердить и заплатить ⭐ ${invoice.total_amount}`;
  dialog.returnValue = "";
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "pay") return;
    const answer = await trying(api.pay(person, id));
    if (answer?.refused) tell({ text: answer.refused, show_alert: true });
  }, { once: true });
  dialog.showModal();
}

function view(photo, caption) {
  const viewer = $("viewer");
  Object.assign(viewer.querySelector("img"), { src: api.file(photo.file_id), alt: caption || "Фото" });
  viewer.querySelector("figcaption").textContent = caption;
  Object.assign(viewer.querySelector("a"), { href: api.file(photo.file_id), download: `${photo.file_id}.jpg` });
  viewer.showModal();
}

// `write`: the line to write in gets the focus, unless that would bring up a keyboard on the screen.
function choose(id, write = false) {
  if (write && matchMedia("(hover: hover)").matches) composer.focus();
  if (id === person) return;
  drafts.set(person, composer.draft);
  if (messages.atEnd) places.delete(person);
  else places.set(person, $("log").scrollTop);
  person = id;
  unread = 0;
  sessionStorage.setItem("person", id);
  messages.clear();
  composer.draft = drafts.get(id) ?? "";
  refresh();
}

function endButton() {
  if (messages.atEnd) unread = 0;
  $("to-end").hidden = messages.atEnd;
  const count = $("to-end").lastElementChild;
  count.hidden = !unread;
  count.textContent = unread;
}

drawIcons();
sheet($("pay"));
composer.focus();
popup($("more"), $("more-menu"));
people.start(choose);
composer.start((text) => send(text));
attachments(send, () => !$("form").hidden);
if (wayBack.get("start")) send(`/start ${wayBack.get("start")}`);
$("start").addEventListener("click", () => send("/start"));
$("unblock").addEventListener("click", () => trying(api.block(person, false)));
$("block").addEventListener("click", () => trying(api.block(person, !state.people.find((p) => p.id === person).blocked)));
$("to-end").addEventListener("click", () => messages.toEnd(true));
$("log").addEventListener("scroll", () => {
  endButton();
  if (state) people.draw(state.people, person, messages.atEnd);
}, { passive: true });
$("viewer").addEventListener("click", (event) => { if (!event.target.closest("a")) $("viewer").close(); });
new ResizeObserver(() => { if (!unread && $("to-end").hidden) messages.toEnd(); }).observe($("log"));

let soon = 0;
new EventSource("/api/events").onmessage = () => { clearTimeout(soon); soon = setTimeout(refresh, SOON_MS); };
