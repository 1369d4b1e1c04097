// The messages of one chat. What has not changed is left alone, so that focus, selection and scroll stay.
import { api } from "./api.js";
import { icon, make } from "./dom.js";
import { rich } from "./entities.js";

const AT_END_PX = 60;
const time = new Intl.DateTimeFormat("ru", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("ru", { day: "numeric", month: "long" });

export class Messages {
  // `actions`: press(message, button), command(text), view(photo, caption), pay(id, invoice).
  constructor(list, scroller, actions) {
    Object.assign(this, { list, scroller, actions, drawn: new Map() });
  }

  get atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < AT_END_PX;
  }

  toEnd(smooth = false) {
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: smooth ? "smooth" : "instant" });
  }

  clear() {
    this.drawn.clear();
    this.list.replaceChildren();
  }

  // Brings the list to `messages`; how many of the bot's are new. `waiting` holds "message data" of pressed buttons.
  draw(messages, waiting) {
    const atEnd = this.atEnd, first = this.drawn.size === 0;
    const drawn = new Map();
    let place = this.list.firstChild, fresh = 0, mine = false;
    for (const item of items(messages)) {
      const pressed = item.messages?.flatMap((m) => m.keyboard.flat().map((b) => waiting.has(`${m.id} ${b.callback_data}`)));
      const signature = JSON.stringify([item, pressed]);
      let known = this.drawn.get(item.key);
      if (!known || known.signature !== signature) {
        const node = item.day ? separator(item.day) : this.message(item, waiting);
        if (!known && !first) {
          node.classList.add("fresh");
          fresh += item.messages?.[0].outgoing ? 1 : 0;
          mine ||= item.messages && !item.messages[0].outgoing;
        }
        if (known) {
          if (place === known.node) place = node;
          replaceKeepingFocus(known.node, node);
        }
        known = { node, signature };
      }
      drawn.set(item.key, known);
      if (known.node === place) place = place.nextSibling;
      else this.list.insertBefore(known.node, place);
    }
    for (const [key, { node }] of this.drawn) if (!drawn.has(key)) node.remove();
    this.drawn = drawn;
    if (first || atEnd || mine) this.toEnd(!first && fresh + mine > 0);
    return atEnd ? 0 : fresh;
  }

  message({ messages, last }, waiting) {
    const [head] = messages;
    const side = head.outgoing ? "theirs" : "mine";
    const bubble = make("div", { className: "bubble" });
    const text = messages.find((m) => m.text);
    const photos = messages.filter((m) => m.photo);
    if (photos.length) bubble.append(this.photos(photos, text?.text ?? ""));
    for (const m of messages) if (m.document) bubble.append(file(m.document));
    if (head.invoice) bubble.append(this.invoice(head));
    const moved = head.paid ?? head.refunded;
    if (moved) {
      const words = head.paid ? "Вы заплатили" : "Вам вернули";
      bubble.append(make("strong", { className: "stars" }, `${words} ⭐ ${moved.total_amount}`));
    }
    if (text) {
      const body = rich(text.text, text.entities, this.actions.command);
      bubble.append(make("div", { className: "text", dir: "auto" }, body, meta(messages)));
    } else {
      bubble.append(meta(messages));
    }
    if (!text && !photos.length && !head.document && !head.invoice && !moved) {
      bubble.prepend(make("em", { className: "unknown" }, "Такие сообщения песочница не показывает"));
    }
    bubble.classList.toggle("media", photos.length > 0);
    bubble.classList.toggle("bare", photos.length > 0 && !text);
    const item = make("li", { className: side }, bubble);
    item.dataset.id = head.id;
    item.classList.toggle("last", last && !head.keyboard.length);
    item.classList.toggle("gap", last);
    if (head.keyboard.length) item.append(this.keyboard(head, waiting));
    return item;
  }

  invoice({ id, invoice, keyboard }) {
    const card = make("div", { className: "invoice" },
      make("b", {}, invoice.title), make("span", {}, invoice.description));
    if (!keyboard.flat().some((button) => button.pay)) card.append(this.payButton(id, invoice, `Заплатить ⭐ ${invoice.total_amount}`));
    return card;
  }

  payButton(id, invoice, text) {
    return make("button", { type: "button", className: "wide", onclick: () => this.actions.pay(id, invoice) }, text);
  }

  photos(messages, caption) {
    const frame = make("div", { className: messages.length > 1 ? "album" : "single" });
    for (const { photo } of messages) {
      const image = make("img", { src: api.file(photo.file_id), alt: caption || "Фото", width: photo.width, height: photo.height });
      frame.append(make("button", {
        type: "button", className: "photo", ariaLabel: "Открыть фото", onclick: () => this.actions.view(photo, caption),
      }, image));
    }
    return frame;
  }

  keyboard(message, waiting) {
    const rows = message.keyboard.map((row) => make("div", { className: "row" }, ...row.map((button) => {
      if (button.url) {
        return make("a", { href: button.url, target: "_blank", rel: "noopener noreferrer" }, button.text, icon("out"));
      }
      if (button.pay) return this.payButton(message.id, message.invoice, button.text);
      const busy = waiting.has(`${message.id} ${button.callback_data}`);
      return make("button", {
        type: "button", className: busy ? "busy" : "", ariaBusy: String(busy),
        onclick: () => this.actions.press(message, button),
      }, button.text);
    })));
    return make("div", { className: "keyboard" }, ...rows);
  }
}

// Days, single messages and albums, each with a key of its own.
function items(messages) {
  const all = [];
  let today = "";
  for (const message of messages) {
    const date = day.format(message.date * 1000);
    if (date !== today) all.push({ key: `day ${date}`, day: date });
    today = date;
    const before = all.at(-1);
    if (message.album && before.messages?.[0].album === message.album) before.messages.push(message);
    else all.push({ key: `message ${message.id}`, messages: [message] });
  }
  all.forEach((item, i) => {
    item.last = all[i + 1]?.messages?.[0].outgoing !== item.messages?.[0].outgoing;
  });
  return all;
}

function separator(date) {
  const text = date === day.format(Date.now()) ? "Сегодня" : date;
  return make("li", { className: "day" }, make("span", {}, text));
}

function meta(messages) {
  const last = messages.at(-1);
  const small = make("span", { className: "meta" });
  if (messages.some((m) => m.edited)) small.append(make("span", {}, "изменено "));
  small.append(make("time", { dateTime: new Date(last.date * 1000).toISOString() }, time.format(last.date * 1000)));
  if (!last.outgoing) {
    const taken = messages.every((m) => m.taken);
    small.append(icon(taken ? "taken" : "sent"), make("span", { className: "hidden" }, taken ? "бот получил" : "отправлено"));
  }
  return small;
}

function file(document) {
  const name = document.file_name ?? "файл";
  const picture = document.mime_type?.startsWith("image/");
  const extension = name.includes(".") ? name.split(".").pop().slice(0, 4) : "";
  const sign = make("span", { className: "sign", ariaHidden: "true" }, extension);
  if (picture) sign.replaceChildren(make("img", { src: api.file(document.file_id), alt: "" }));
  return make("a", { className: "file", href: api.file(document.file_id), download: name },
    sign, make("span", {}, make("b", {}, name), make("small", {}, size(document.file_size))));
}

function size(bytes = 0) {
  if (bytes < 1000) return `${bytes} Б`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} КБ` : `${(bytes / 1e6).toFixed(1).replace(".", ",")} МБ`;
}

function replaceKeepingFocus(old, node) {
  const focusable = (root) => [...root.querySelectorAll("a, button, [tabindex]")];
  const index = focusable(old).indexOf(document.activeElement);
  old.replaceWith(node);
  if (index >= 0) focusable(node)[index]?.focus({ preventScroll: true });
}
