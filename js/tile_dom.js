// @ts-check
// Making the elements of the tile editor.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} name  class, without the prefix that keeps the pack's styles to itself
 * @param {string} [text]
 * @param {Record<string, string>} [attributes]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, name, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.className = name
    .split(" ")
    .map((part) => `vh-${part}`)
    .join(" ");
  if (text) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/**
 * @param {string} label
 * @param {string} title  what it does, in a sentence
 * @param {() => void} act
 * @param {string} [name]
 * @returns {HTMLButtonElement}
 */
export function button(label, title, act, name = "button") {
  const element = make("button", name, label, { type: "button", title });
  element.addEventListener("click", act);
  return element;
}

/**
 * Set an element's text only if it is another: typing keeps the place of its cursor.
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {string} value
 */
export function fill(field, value) {
  if (field.value !== value) field.value = value;
}

/** Put the style sheet of the tile editor into the page, once. */
export function style() {
  const href = new URL("./tile_plan.css", import.meta.url).href;
  if ([...document.querySelectorAll("link[rel=stylesheet]")].some((link) => link.getAttribute("href") === href)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}
