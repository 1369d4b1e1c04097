// Formatted text: Telegram's entities become elements from a short list, and everything else stays text.
import { make } from "./dom.js";

const PLAIN = {
  bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote", hashtag: "span", mention: "span",
};

// `text` as a fragment. Offsets are in UTF-16 units, as JavaScript's are; entities come outermost first.
export function rich(text, entities, onCommand) {
  const open = [{ node: document.createDocumentFragment(), end: Infinity }];
  let at = 0;
  const advance = (to) => {
    while (open.at(-1).end <= to) {
      open.at(-1).node.append(text.slice(at, open.at(-1).end));
      at = Math.max(at, open.pop().end);
    }
    open.at(-1).node.append(text.slice(at, to));
    at = to;
  };
  for (const entity of entities) {
    advance(entity.offset);
    const end = Math.min(entity.offset + entity.length, open.at(-1).end);
    const node = element(entity, text.slice(entity.offset, end), onCommand);
    open.at(-1).node.append(node);
    open.push({ node, end });
  }
  advance(text.length);
  return open[0].node;
}

function element(entity, text, onCommand) {
  if (entity.type === "text_link" || entity.type === "url") return link(entity.url ?? text);
  if (entity.type === "bot_command") {
    return make("button", { type: "button", className: "link", onclick: () => onCommand(text) });
  }
  if (entity.type === "spoiler") {
    const reveal = (event) => event.currentTarget.classList.add("seen");
    return make("span", { className: "spoiler", tabIndex: 0, onclick: reveal, onfocus: reveal });
  }
  const node = make(PLAIN[entity.type] ?? "span");
  node.classList.add(entity.type);
  return node;
}

function link(address) {
  const safe = /^(https?|tg):/i.test(address);
  return safe ? make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }) : make("span");
}
