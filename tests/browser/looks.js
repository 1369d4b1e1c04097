// What cannot be read or seen on the page: an array of sentences, empty where all is well.
() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const light = (colour) => colour.map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  // The chat's wallpaper and the avatars are gradients: the wallpaper's middle stands for them, avatars are left out.
  const wallpaper = matchMedia("(prefers-color-scheme: dark)").matches ? [14, 22, 33] : [190, 205, 160];

  function contrast(element) {
    const layers = [];
    let ground = [255, 255, 255];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      layers.push(rgba(style.backgroundColor));
      if (style.backgroundImage !== "none") ground = wallpaper;
      if (style.backgroundImage !== "none" || layers.at(-1)[3] === 1) break;
    }
    for (const layer of layers.reverse()) ground = over(layer, ground);
    const [a, b] = [light(over(rgba(getComputedStyle(element).color), ground)), light(ground)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }

  const faults = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, text = texts.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ opacityProperty: true }) || element.closest(".avatar, :disabled")) continue;
    const { fontSize, fontWeight } = getComputedStyle(element);
    const large = parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.6 && fontWeight >= 600);
    const found = contrast(element);
    if (found < (large ? 3 : 4.5)) faults.add(`«${text.slice(0, 30)}»: contrast ${found.toFixed(2)}`);
  }
  for (const element of document.querySelectorAll("html, main, #chat, #log, #room, .cards, dialog[open]")) {
    if (element.checkVisibility() && element.scrollWidth > element.clientWidth) {
      faults.add(`${element.id || element.className || element.tagName} is wider than it may be`);
    }
  }
  return [...faults];
}
