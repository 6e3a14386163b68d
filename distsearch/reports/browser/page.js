// Draws the figures of this page from the data in it, in light or dark. No library, no network.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
root.dataset.theme = dark.matches ? "dark" : "light";
const drawn = Array.from(document.querySelectorAll(".plot"), (place) => {
  const data = JSON.parse(place.querySelector("script").textContent);
  return data.kind === "plane" ? new Plane(place, data) : new Chart(place, data);
});
function paint(theme) {
  root.dataset.theme = theme;
  for (const each of drawn) each.draw();
}
dark.addEventListener("change", () => paint(dark.matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => paint(root.dataset.theme === "dark" ? "light" : "dark"));
