// @ts-check
// "Tile Plan": the mosaic editor on the node. What is edited is the text of the node's `edits` widget, nothing else,
// so it is saved, copied, undone and sent to the host like any other setting.
import { app } from "/scripts/app.js";
import { api } from "/scripts/api.js";
import { style } from "./tile_dom.js";
import { TileEditor } from "./tile_editor.js";
import { address, nodeOf, outputOf, rememberedTiles, tilesOf } from "./tile_results.js";

const NODE = "VectraHub_TilePlan";
const EVENT = "vectrahub.tiles"; // host/mosaic.py: the tiles, also of a run that then fails
const SIZE = [460, 780];
const MIN_WIDTH = 380; // px: a line of the editor's buttons
const TEXT_HEIGHT = 72; // px, of the prompts above: what the node grows by is for the tiles

/**
 * @typedef {import("./tile_editor.js").Tiles} Tiles
 * @typedef {import("./tile_results.js").Output} Output
 */

/** @type {WeakMap<any, TileEditor>} */
const EDITORS = new WeakMap();

/**
 * @param {any} node
 * @param {string} event
 * @param {(...values: any[]) => void} then
 */
function after(node, event, then) {
  const before = node[event];
  node[event] = function (/** @type {any[]} */ ...values) {
    const result = before?.apply(this, values);
    then(...values);
    return result;
  };
}

/**
 * Let the canvas behind zoom by the wheel and move by the middle button, as it does over the host's own text widgets.
 * Nodes that are drawn as elements do so themselves.
 * @param {HTMLElement} element
 */
function passOn(element) {
  const overlaid = () => element.closest(".dom-widget") !== null;
  element.addEventListener(
    "wheel",
    (event) => {
      const field = event.target instanceof HTMLTextAreaElement ? event.target : null;
      const scrolls = field !== null && field.scrollHeight > field.clientHeight && !event.ctrlKey;
      if (overlaid() && !scrolls) app.canvas.processMouseWheel(event);
    },
    { passive: false },
  );
  element.addEventListener("pointerdown", (event) => event.button === 1 && overlaid() && app.canvas.processMouseDown(event));
  element.addEventListener("pointermove", (event) => event.buttons & 4 && overlaid() && app.canvas.processMouseMove(event));
  element.addEventListener("pointerup", (event) => event.button === 1 && overlaid() && app.canvas.processMouseUp(event));
}

/** @param {any} node  An instance of the node, as the front-end made it. */
function attach(node) {
  const edits = node.widgets?.find((/** @type {any} */ widget) => widget.name === "edits");
  if (!edits) return;
  style();
  const linked = () => node.inputs?.some((/** @type {any} */ input) => input.name === "edits" && input.link != null) ?? false;
  const editor = new TileEditor({
    read: () => String(edits.value ?? ""),
    write: (text) => {
      edits.value = text;
      node.graph?.setDirtyCanvas(true, true);
    },
    keep: () => {
      app.canvas.emitBeforeChange(); // a step that can be undone
      app.canvas.emitAfterChange();
    },
    linked,
    address,
  });
  for (const other of node.widgets) if (other.element) other.options.getMaxHeight ??= () => TEXT_HEIGHT;
  passOn(editor.element);
  const widget = node.addDOMWidget("vectrahub.tiles", "VECTRAHUB_TILES", editor.element, {
    serialize: false,
    hideOnZoom: false,
    hideInPanel: true, // the side panel would lay it out in its own width
    getMinHeight: () => 460,
  });
  widget.serialize = false; // it holds no value, so the workflow's widget values stay those of the schema

  EDITORS.set(node, editor);
  /** @type {Output | undefined} */
  let shown;
  const look = (/** @type {Output | undefined} */ output) => {
    if (!output || output === shown) return;
    shown = output;
    const tiles = tilesOf(output);
    if (tiles) editor.show(tiles);
  };
  const recall = async () => {
    await Promise.resolve(); // the graph is whole now, and the node has its id
    const known = outputOf(node);
    if (known) return look(known);
    const tiles = await rememberedTiles(node).catch(() => undefined); // out of reach: numbered tiles will do
    if (tiles && !editor.ran) editor.show(tiles);
  };
  let text = "";
  const refresh = () => {
    edits.hidden = !linked(); // "Edit as text" shows it too; a link needs its socket
    editor.refresh();
  };
  after(node, "onResize", (size) => {
    size[0] = Math.max(size[0], MIN_WIDTH);
  });
  after(node, "onExecuted", look);
  after(node, "onConfigure", () => {
    refresh();
    void recall();
  });
  after(node, "onConnectionsChange", refresh);
  // Drawn nodes look for a result that came while they were not there, and for a text that something else has set.
  after(node, "onDrawBackground", () => {
    look(outputOf(node));
    if (edits.value !== text) {
      text = edits.value;
      refresh();
    }
  });
  after(edits, "callback", refresh);
  refresh();
  node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
}

app.registerExtension({
  name: "vectrahub.tile_plan",
  setup() {
    api.addEventListener(EVENT, (/** @type {CustomEvent<{node: string, workflow?: string, tiles: Tiles}>} */ { detail }) => {
      // The run of a workflow in another tab has nodes of the same number.
      if (detail.workflow && detail.workflow !== app.graph.rootGraph?.id) return;
      EDITORS.get(nodeOf(detail.node))?.show(detail.tiles);
    });
  },
  nodeCreated(/** @type {any} */ node) {
    if (node.constructor.comfyClass === NODE) attach(node);
  },
});
