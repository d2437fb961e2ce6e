// @ts-check
// Live preview on "Save SVG": what was saved, zoomable, with its figures and a download button.
import { app } from "/scripts/app.js";
import { api } from "/scripts/api.js";
import { SvgView } from "./svg_view.js";

const NODE = "VectraHub_SVGSave";

/**
 * @typedef {{filename: string, subfolder: string, type: string}} SavedFile
 * @typedef {{shapes?: number, segments?: number, bytes?: number, colors?: number, width?: number, height?: number}} Figures
 * @typedef {{images?: SavedFile[], vectrahub_report?: string[]}} Output
 */

/**
 * Address of a saved file. The browser treats it as a picture: nothing in it runs.
 * @param {SavedFile} file
 * @returns {string}
 */
function address(file) {
  const query = new URLSearchParams({
    filename: file.filename ?? "",
    subfolder: file.subfolder ?? "",
    type: file.type ?? "output",
  });
  return api.apiURL(`/view?${query}`);
}

/**
 * Figures of each drawing, in the order of the files; a report that cannot be read gives none.
 * @param {Output} output
 * @returns {Figures[]}
 */
function figuresOf(output) {
  try {
    const report = JSON.parse(output.vectrahub_report?.[0] ?? "{}");
    return Array.isArray(report.images) ? report.images : [];
  } catch {
    return [];
  }
}

/**
 * @param {SvgView} view
 * @param {Output | undefined} output
 */
function show(view, output) {
  const figures = output ? figuresOf(output) : [];
  const files = Array.isArray(output?.images) ? output.images : [];
  view.show(files.map((file, index) => ({ url: address(file), name: file.filename, figures: figures[index] ?? {} })));
}

/** @param {any} node  An instance of the node, as the front-end made it. */
function attach(node) {
  const view = new SvgView();
  const widget = node.addDOMWidget("vectrahub.preview", "VECTRAHUB_SVG_PREVIEW", view.element, {
    serialize: false,
    hideOnZoom: false,
    hideInPanel: true, // the side panel would lay it out in its own width
    getMinHeight: () => 220,
  });
  widget.serialize = false; // it holds no value, so the workflow's widget values stay those of the schema

  // The front-end's own picture preview would show the same drawing a second time.
  node.hideOutputImages = true;
  /** @type {Output | undefined} */
  let shown;
  const refresh = (/** @type {Output | undefined} */ output) => {
    if (output === shown) return;
    shown = output;
    show(view, output);
  };
  // Drawn nodes look for a result that came while they were not there (reload, change of tab).
  node.onDrawBackground = () => {
    const output = app.nodeOutputs?.[String(node.id)];
    if (output) refresh(output);
  };
  const executed = node.onExecuted;
  node.onExecuted = function (/** @type {Output} */ output) {
    executed?.call(this, output);
    refresh(output);
  };
  const removed = node.onRemoved;
  node.onRemoved = function () {
    view.dispose();
    removed?.call(this);
  };
  const [width, height] = node.size;
  node.setSize([Math.max(width, 340), Math.max(height, 420)]);
}

app.registerExtension({
  name: "vectrahub.svg_preview",
  nodeCreated(/** @type {any} */ node) {
    if (node.constructor.comfyClass === NODE) attach(node);
  },
});
