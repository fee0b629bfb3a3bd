"use strict";
const one = (selector, within = document) => within.querySelector(selector);
const tiles = [...document.querySelectorAll(".tile")];
const wanted = [...document.querySelectorAll("#filter input")];
const viewer = one("#viewer");
const stage = one(".stage");
let current = null;

// Keep tiles that show any of the checked classes; if none is checked, keep all tiles.
function filter() {
  const classes = wanted.filter(box => box.checked).map(box => box.value);
  for (const tile of tiles) {
    const has = tile.dataset.classes.split(" ");
    tile.hidden = classes.length > 0 && !classes.some(id => has.includes(id));
  }
  const left = tiles.filter(tile => !tile.hidden).length;
  one("[role=status]").textContent = left + " of " + tiles.length + " shown";
  one("#all").disabled = classes.length === 0;
}

function showAll() {
  for (const box of wanted) box.checked = false;
  filter();
  wanted[0]?.focus();
}

function setOverlay(shown) {
  document.body.classList.toggle("no-overlay", !shown);
  one("#overlay").checked = shown;
  one("#bare").setAttribute("aria-pressed", shown);
}

function enlarge(tile) {
  current = tile;
  stage.replaceChildren(one(".open", tile).firstElementChild.cloneNode(true));
  one("#viewer-name").textContent = one(".name", tile).textContent;
  one("p", viewer).textContent = one(".about", tile).textContent;
  if (!viewer.open) viewer.showModal();
  setFull(false);
  // Full size helps where the window makes the picture smaller than it is.
  const picture = one(".stage > .stack", viewer);
  one("#full").hidden = !picture || picture.offsetWidth >= parseInt(picture.style.getPropertyValue("--width"));
}

function setFull(on) {
  stage.classList.toggle("full", on);
  one("#full").setAttribute("aria-pressed", on);
  if (on) stage.focus();
}

// Skip hidden tiles and samples without a picture; wrap around at either end.
function step(by) {
  const shown = tiles.filter(tile => !tile.hidden && one(".open", tile));
  enlarge(shown[(shown.indexOf(current) + by + shown.length) % shown.length]);
}

for (const box of wanted) box.addEventListener("change", filter);
one("#all").addEventListener("click", showAll);
one("#overlay").addEventListener("change", event => setOverlay(event.target.checked));
one("#bare").addEventListener("click", () => setOverlay(document.body.classList.contains("no-overlay")));
one("#strength").addEventListener("input", event => {
  document.documentElement.style.setProperty("--strength", event.target.value / 100);
});
for (const tile of tiles) one(".open", tile)?.addEventListener("click", () => enlarge(tile));
one("#previous").addEventListener("click", () => step(-1));
one("#next").addEventListener("click", () => step(1));
one("#close").addEventListener("click", () => viewer.close());
stage.addEventListener("click", event => { if (event.target === stage) viewer.close(); });
one("#full").addEventListener("click", () => setFull(!stage.classList.contains("full")));
viewer.addEventListener("keydown", event => {
  // At full size, the arrows scroll.
  if (stage.classList.contains("full")) return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
viewer.addEventListener("close", () => one(".open", current).focus());
filter();
