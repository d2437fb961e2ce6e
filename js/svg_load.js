// @ts-check
// "Load SVG": the host's upload button offers PNG, JPEG and WebP only; this one offers SVG files.
import { app } from "/scripts/app.js";
import { api } from "/scripts/api.js";

const NODE = "VectraHub_SVGLoad";

/**
 * Put a file into the input folder; the host answers with the name that it got there.
 * @param {File} file
 * @returns {Promise<string>}
 */
async function upload(file) {
  const body = new FormData();
  body.append("image", file);
  const answer = await api.fetchApi("/upload/image", { method: "POST", body });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  const { name, subfolder } = await answer.json();
  return subfolder ? `${subfolder}/${name}` : name;
}

/**
 * @param {any} node
 * @param {File} file
 */
async function choose(node, file) {
  const combo = node.widgets?.find((/** @type {any} */ widget) => widget.name === "file");
  if (!combo) return;
  try {
    const name = await upload(file);
    const values = combo.options?.values;
    if (Array.isArray(values) && !values.includes(name)) values.push(name);
    combo.value = name;
    combo.callback?.(name);
    node.graph?.setDirtyCanvas(true, true);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    app.extensionManager.toast.add({ severity: "error", summary: "The SVG was not uploaded", detail, life: 8000 });
  }
}

app.registerExtension({
  name: "vectrahub.svg_load",
  nodeCreated(/** @type {any} */ node) {
    if (node.constructor.comfyClass !== NODE) return;
    const button = node.widgets?.find((/** @type {any} */ widget) => widget.name === "upload");
    if (!button) return;
    button.callback = () => {
      const picker = document.createElement("input");
      picker.type = "file";
      picker.accept = ".svg,image/svg+xml";
      picker.addEventListener("change", () => picker.files?.[0] && choose(node, picker.files[0]), { once: true });
      picker.click();
    };
  },
});
