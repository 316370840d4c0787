// What a person does, in the browser: install nothing, open a plugin, save, look. The screenshots are those of the README
// and of the walkthrough (EVONIC_LSP_SHOTS=editors/vscode/images writes them there).
import assert from "node:assert/strict";
import { join } from "node:path";
import { config, host, main, mark, withVsCode } from "./harness.mjs";
import { hands } from "./hands.mjs";

const served = async () => {
  const port = await (await fetch(`${config.control}/port`, { method: "POST" })).text();
  return (await fetch(`http://127.0.0.1:${port}/plugin/greeter/`)).text();
};

await main(() =>
  withVsCode({}, async ({ page, origin }) => {
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
    await enlargeView();
    await settled("Evonic", "hot reload off", "generation 0");
    mark("the view shows the plugins");

    await save('WORD = "one"\n');
    const question = page.locator(".notification-list-item", { hasText: "greeter" }).first();
    await question.locator(".monaco-button", { hasText: "Enable" }).first().waitFor();
    await page.locator(".notification-toast.notification-fade-in-done").first().waitFor();
    await shot("walkthrough-enable");
    await question.locator(".monaco-button", { hasText: "Enable" }).first().click();
    await settled("greeter ok in", "hot reload on · generation 1", "generation 1");
    await page.locator(".notification-toast").first().waitFor({ state: "detached" });
    assert.equal(await served(), "one");
    await shot("walkthrough-save");
    mark("asked once, enabled, reloaded, served");

    await save('WORD = "two"\nboom()\n');
    await page.locator(".squiggly-error").first().waitFor();
    await settled("greeter failed", "failed · generation 1", "reload rejected");
    await page.keyboard.press("Control+Shift+M");
    await page.locator(".markers-panel .monaco-list-row", { hasText: "NameError" }).first().waitFor();
    await shot("walkthrough-error");
    assert.equal(await served(), "one");
    mark("an error: marked, listed, and the old version serves");

    await save('WORD = "two"\n');
    await page.locator(".squiggly-error").first().waitFor({ state: "detached" });
    await page.keyboard.press("Control+J");
    await page.locator(".markers-panel").first().waitFor({ state: "hidden" });
    await settled("greeter ok in", "hot reload on · generation 2", "generation 2");
    assert.equal(await served(), "two");
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
    await open(config.root);
    await expandView();
    await page.locator(".pane-body .monaco-button", { hasText: "Install Bridge" }).first().waitFor();
    await shot("walkthrough-bridge");
    mark("without a host: the welcome view");
  }),
);
