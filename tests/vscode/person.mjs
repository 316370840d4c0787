// What a person does, in the browser: install nothing, open a plugin, save, look. The screenshots are those of the README
// and of the walkthrough (EVONIC_LSP_SHOTS=editors/vscode/images writes them there).
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { config, host, main, mark, withVsCode } from "./harness.mjs";
import { hands } from "./hands.mjs";

// What only a test puts there, and what nobody looks at, is in no picture.
const settings = { "files.exclude": { "**/__pycache__": true, run: true, "test-server.log": true } };

const served = async () => {
  const port = await (await fetch(`${config.control}/port`, { method: "POST" })).text();
  return (await fetch(`http://127.0.0.1:${port}/plugin/greeter/`)).text();
};

await main(() =>
  withVsCode({ settings }, async ({ page, origin }) => {
    const shot = (name) => page.screenshot({ path: join(config.shots, `${name}.png`) });
    const { choice, command, enlargeView, expandView, lens, open, openFile, row, save, status } = hands(page, origin);
    /** The item, the view and the lens tell the same: each is drawn in its own time. */
    const settled = async (item, inView, inLens) => {
      await status(item).waitFor();
      const since = Date.now();
      await Promise.all([
        row("greeter").filter({ hasText: inView }).waitFor().then(() => mark(`view: ${Date.now() - since} ms later`)),
        lens(inLens).waitFor().then(() => mark(`lens: ${Date.now() - since} ms later`)),
      ]);
    };

    await open(config.root);
    await openFile("plugins/greeter/handler.py", "WORD");
    await status("Evonic").waitFor();
    await expandView();
    await row("greeter").waitFor(); // until then the view is laid out anew by itself
    await enlargeView();
    await settled("Evonic", "hot reload off", "generation 0");
    mark("the view shows the plugins");

    await save('WORD = "Hello"\n');
    const question = page.locator(".notification-list-item", { hasText: "greeter" }).first();
    await question.locator(".monaco-button", { hasText: "Enable" }).first().waitFor();
    await page.locator(".notification-toast.notification-fade-in-done").first().waitFor();
    await shot("walkthrough-enable");
    await question.locator(".monaco-button", { hasText: "Enable" }).first().click();
    await settled("greeter ok in", "hot reload on · generation 1", "generation 1");
    await page.locator(".notification-toast").first().waitFor({ state: "detached" });
    assert.equal(await served(), "Hello");
    await shot("walkthrough-save");
    mark("asked once, enabled, reloaded, served");

    await save('WORD = "Good morning"\nprint(word)\n');
    await page.locator(".squiggly-error").first().waitFor();
    await settled("greeter failed", "failed · generation 1", "reload rejected");
    await page.keyboard.press("Control+Shift+M");
    await page.locator(".markers-panel .monaco-list-row", { hasText: "NameError" }).first().waitFor();
    await shot("walkthrough-error");
    assert.equal(await served(), "Hello");
    mark("an error: marked, listed, and the old version serves");

    await save('WORD = "Good morning"\n');
    await page.locator(".squiggly-error").first().waitFor({ state: "detached" });
    await page.keyboard.press("Control+J");
    await page.locator(".markers-panel").first().waitFor({ state: "hidden" });
    await settled("greeter ok in", "hot reload on · generation 2", "generation 2");
    assert.equal(await served(), "Good morning");
    await status("greeter ok in").click();
    await choice("Reload").waitFor();
    await shot("walkthrough-actions");
    await choice("Reload").click();
    await status("greeter ok in").waitFor();
    mark("fixed, and reloaded from the quick pick");

    await command("Welcome: Open Walkthrough");
    await choice("Evonic").click();
    await page.locator(".getting-started-step").first().waitFor();
    await shot("walkthrough");
    mark("the walkthrough opens");

    await host("stop");
    rmSync(join(config.root, "plugins/evonic_lsp"), { recursive: true });
    await open(config.root);
    await expandView();
    await page.locator(".pane-body .monaco-button", { hasText: "Install Bridge" }).first().waitFor();
    const panel = page.locator(".part.panel");
    if (await panel.isVisible()) await page.keyboard.press("Control+J"); // VS Code may not have stored yet that it was closed
    await panel.waitFor({ state: "hidden" });
    await shot("walkthrough-bridge");
    mark("without a host: the welcome view");
  }),
);
