// What a person does, in the browser: install nothing, open a plugin, save, look. The screenshots are those of the README
// and of the walkthrough (EVONIC_LSP_SHOTS=editors/vscode/images writes them there).
import assert from "node:assert/strict";
import { join } from "node:path";
import { config, host, main, mark, withVsCode } from "./harness.mjs";

const served = async () => {
  const port = await (await fetch(`${config.control}/port`, { method: "POST" })).text();
  return (await fetch(`http://127.0.0.1:${port}/plugin/greeter/`)).text();
};

await main(() =>
  withVsCode({}, async ({ page, origin }) => {
    const shot = (name) => page.screenshot({ path: join(config.shots, `${name}.png`) });
    const status = (text) => page.locator(".statusbar-item", { hasText: text }).first();
    const input = page.locator(".quick-input-widget input").first();
    const choice = (text) => page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first();
    const expandView = async () => {
      const header = page.locator('.pane-header[aria-label*="Evonic Section"]').first();
      await header.waitFor();
      if ((await header.getAttribute("aria-expanded")) === "false") await header.click();
    };
    const open = async (folder) => {
      await page.goto(`${origin}/?folder=${encodeURIComponent(folder)}`);
      await page.locator(".monaco-workbench").waitFor();
      await page.locator('.pane-header[aria-label^="Explorer Section"]').first().waitFor();
    };
    const save = async (text) => {
      await page.locator(".monaco-editor .view-lines").first().click();
      await page.keyboard.press("Control+A");
      await page.keyboard.insertText(text);
      await page.keyboard.press("Control+S");
    };
    const command = async (text) => {
      await page.keyboard.press("F1");
      await input.fill(`>${text}`);
      await choice(text).click();
    };

    await open(config.root);
    await page.keyboard.press("Control+P");
    await input.fill(join(config.root, "plugins/greeter/handler.py"));
    await choice("handler.py").waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".monaco-editor .view-line", { hasText: "WORD" }).first().waitFor();
    await status("Evonic").waitFor();
    await expandView();
    await page.locator(".pane-body .monaco-list-row", { hasText: "hot reload off" }).first().waitFor();
    mark("the view shows the plugins");

    await save('WORD = "one"\n');
    const question = page.locator(".notification-list-item", { hasText: "greeter" }).first();
    await question.waitFor();
    await shot("walkthrough-enable");
    await question.locator(".monaco-button", { hasText: "Enable" }).first().click();
    await status("greeter ok in").waitFor();
    assert.equal(await served(), "one");
    await shot("walkthrough-save");
    mark("asked once, enabled, reloaded, served");

    await save('WORD = "two"\nboom()\n');
    await page.locator(".squiggly-error").first().waitFor();
    await status("greeter failed").waitFor();
    await page.keyboard.press("Control+Shift+M");
    await page.locator(".markers-panel .monaco-list-row", { hasText: "NameError" }).first().waitFor();
    await shot("walkthrough-error");
    assert.equal(await served(), "one");
    mark("an error: marked, listed, and the old version serves");

    await save('WORD = "two"\n');
    await page.locator(".squiggly-error").first().waitFor({ state: "detached" });
    await status("greeter ok in").waitFor();
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
