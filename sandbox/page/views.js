// On a narrow screen the page shows the chat or the machine room; these buttons switch.
const views = document.querySelectorAll("#views button");

for (const button of views) {
  button.addEventListener("click", () => {
    document.body.dataset.view = button.dataset.view;
    for (const other of views) other.ariaPressed = String(other === button);
  });
}
