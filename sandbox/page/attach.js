// Pictures and files: by the paper-clip, dropped on the chat, or pasted.
import { $, make, popup, sheet } from "./dom.js";

const ALBUM = 10;
const dialog = sheet($("attach")), drop = $("drop"), chat = $("chat");
let files = [];

// `send(caption, files, as)` is called when the person has looked at what was chosen and agrees.
export function attachments(send, canSend) {
  popup($("clip"), $("clip-menu"));
  $("pick-photo").addEventListener("click", () => $("photos").click());
  $("pick-file").addEventListener("click", () => $("files").click());
  for (const input of [$("photos"), $("files")]) {
    input.addEventListener("change", () => {
      look([...input.files], input.id === "photos" ? "photo" : "file");
      input.value = "";
    });
  }
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length && canSend() && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      look([...event.clipboardData.files], "photo");
    }
  });
  dropping(canSend);
  $("uncompressed").addEventListener("change", entitle);
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "send") send($("caption").value.trim(), files, $("uncompressed").checked ? "file" : "photo");
    for (const image of $("previews").querySelectorAll("img")) URL.revokeObjectURL(image.src);
    $("previews").replaceChildren();
    $("text").focus();
  });
}

function look(chosen, as) {
  files = chosen.slice(0, ALBUM);
  if (!files.length) return;
  const pictures = files.every((file) => file.type.startsWith("image/"));
  $("uncompressed").checked = as === "file" || !pictures;
  $("uncompressed").disabled = !pictures;
  entitle();
  $("previews").className = files.length > 1 ? "many" : "";
  $("previews").replaceChildren(...files.map((file) => (file.type.startsWith("image/")
    ? make("img", { src: URL.createObjectURL(file), alt: file.name })
    : make("p", {}, file.name))));
  $("caption").value = "";
  dialog.returnValue = "";
  dialog.showModal();
}

function entitle() {
  const asFile = $("uncompressed").checked;
  $("attach-title").textContent = files.length === 1
    ? `Отправить ${asFile ? "файл" : "фото"}`
    : `Отправить ${asFile ? "файлы" : "фото"}: ${files.length}`;
}

function dropping(canSend) {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let inside = 0;
  const done = () => { inside = 0; drop.hidden = true; };
  chat.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event) || !canSend()) return;
    inside += 1;
    drop.hidden = false;
  });
  chat.addEventListener("dragleave", (event) => {
    if (carriesFiles(event) && --inside <= 0) done();
  });
  chat.addEventListener("dragover", (event) => {
    if (!carriesFiles(event) || !canSend()) return;
    event.preventDefault();
    const over = event.target.closest("[data-as]");
    for (const zone of drop.children) zone.classList.toggle("over", zone === over);
  });
  // Beside the chat a file is refused: the browser would leave the page for it.
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
  });
  chat.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const as = event.target.closest("[data-as]")?.dataset.as ?? "photo";
    done();
    if (canSend()) look([...event.dataTransfer.files], as);
  });
}
