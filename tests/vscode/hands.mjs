// What a person's hands and eyes do in a window of VS Code.
import { basename, join } from "node:path";
import { config } from "./harness.mjs";

export function hands(page, origin) {
  const input = page.locator(".quick-input-widget input").first();
  const choice = (text) => page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first();
  const header = page.locator('.pane-header[aria-label*="Evonic Section"]').first();

  /** The row of a plugin in the Evonic view. */
  const row = (plugin) => page.locator(".pane-body .monaco-list-row", { hasText: new RegExp(`^${plugin}`) })
    .filter({ hasText: /generation|disabled in Evonic/ }).first();

  /** Where something is, once it has stayed there: views slide open. */
  const settled = async (locator) => {
    let before;
    for (let same = 0; same < 10; ) {
      const now = await locator.boundingBox();
      same = JSON.stringify(now) === JSON.stringify(before) ? same + 1 : 0;
      before = now;
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    return before;
  };

  /** Moves the edge that is nearest to a place; waits until it has moved. */
  const drag = async (direction, x, y, right, down) => {
    const edges = page.locator(`.monaco-sash.${direction}:not(.disabled)`);
    const boxes = await edges.evaluateAll((all) => all.map((each) => {
      const { x, y, width, height } = each.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    }));
    const far = (box) => Math.abs(direction === "vertical" ? box.x - x : box.y - y);
    const nearest = boxes.reduce((best, box, i) => (far(box) < far(boxes[best]) ? i : best), 0);
    const before = await edges.nth(nearest).boundingBox();
    await page.mouse.move(direction === "vertical" ? boxes[nearest].x : x, direction === "vertical" ? y : boxes[nearest].y);
    await page.mouse.down();
    await page.mouse.move(x + right, y + down, { steps: 5 });
    await page.mouse.up();
    const after = await edges.nth(nearest).boundingBox();
    if (before.x === after.x && before.y === after.y) throw new Error(`the ${direction} edge at ${x}, ${y} did not move`);
  };

  return {
    input, choice, header, row,
    status: (text) => page.locator(".statusbar-item", { hasText: text }).first(),
    lens: (text) => page.locator(".codelens-decoration", { hasText: text }).first(),

    async open(folder) {
      await page.goto(`${origin}/?folder=${encodeURIComponent(folder)}`);
      await page.locator(".monaco-workbench").waitFor();
      await page.locator('.pane-header[aria-label^="Explorer Section"]').first().waitFor();
    },

    async openFile(path, shows) {
      await page.keyboard.press("Control+P");
      await input.fill(join(config.root, path));
      await choice(basename(path)).click();
      await page.locator(".monaco-editor .view-line", { hasText: shows }).first().waitFor();
    },

    async expandView() {
      await header.waitFor();
      if ((await header.getAttribute("aria-expanded")) === "false") await header.click();
      await header.and(page.locator('[aria-expanded="true"]')).waitFor();
    },

    /** Drags the edges of the view, so that all of it is seen. */
    async enlargeView() {
      const { x, y, width } = await settled(header);
      await drag("horizontal", x + width / 2, y, 0, -90);
      await drag("vertical", x + width, y - 200, 130, 0);
    },

    async save(text) {
      await page.locator(".monaco-editor .view-lines").first().click();
      await page.keyboard.press("Control+A");
      await page.keyboard.insertText(text);
      await page.keyboard.press("Control+S");
    },

    async command(text) {
      await page.keyboard.press("F1");
      await input.fill(`>${text}`);
      await choice(text).click();
    },

    /** Whether the palette has a command. `always` is one that it has at any rate: the list is there when that is. */
    async offers(text, always) {
      await page.keyboard.press("F1");
      await input.fill(`>${always}`);
      await choice(always).waitFor();
      await input.fill(`>${text}`);
      await page.locator(".quick-input-list .monaco-list-row").first().waitFor();
      await choice(always).waitFor({ state: "detached" });
      const found = await choice(text).count();
      await page.keyboard.press("Escape");
      return found > 0;
    },

    /** The entries of the menu that a click on something opens. */
    async menu(place, button = "right") {
      await place.click({ button });
      await page.locator(".monaco-menu .action-item").first().waitFor();
      const entries = await page.locator(".monaco-menu .action-label").allTextContents();
      await page.keyboard.press("Escape");
      await page.locator(".monaco-menu").first().waitFor({ state: "detached" });
      return entries.filter(Boolean);
    },
  };
}
