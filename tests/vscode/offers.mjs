// What is offered when: nothing without trust, and then what the context keys say.
import assert from "node:assert/strict";
import { config, host, main, mark, withVsCode } from "./harness.mjs";
import { hands } from "./hands.mjs";

const ALWAYS = "Evonic: Show Server Log";
const settings = { "security.workspace.trust.startupPrompt": "never" };

/** A workspace that is not trusted: the reason is told, and nothing runs. */
async function untrusted(page, { choice, input, openFile, save, status }) {
  await status("Restricted Mode").waitFor();
  await openFile("plugins/greeter/handler.py", "WORD");
  await save('WORD = "untrusted"\n');
  await page.locator(".tab.dirty").waitFor({ state: "detached" });
  await page.keyboard.press("Control+Shift+X");
  await page.locator(".extension-list-item", { hasText: "Evonic" }).first().click();
  await page.locator(".extension-editor", { hasText: "makes the running Evonic execute its Python code" }).waitFor();
  await page.screenshot({ path: `${config.shots}/untrusted.png` });
  assert.equal(await status("Evonic").count(), 0);
  await page.keyboard.press("F1");
  await input.fill(">Evonic:");
  await choice("No matching").waitFor();
  await page.keyboard.press("Escape");
  mark("nothing runs in a workspace that is not trusted");
}

async function trusted(page, { command, status }) {
  await command("Workspaces: Manage Workspace Trust");
  await page.locator(".workspace-trust-editor .monaco-button", { hasText: /^Trust/ }).first().click();
  await command("View: Close All Editors");
  await command("View: Show Explorer");
  await status("Evonic").waitFor();
}

await main(() =>
  withVsCode({ trust: true, settings }, async ({ page, origin }) => {
    const person = hands(page, origin);
    const { expandView, header, menu, offers, open, openFile, row, status } = person;
    const folder = (name) => page.locator(".explorer-folders-view .monaco-list-row", { hasText: new RegExp(`^${name}$`) }).first();
    const reloads = page.locator('.editor-actions .action-label[aria-label^="Reload Plugin"]');
    const more = header.locator(".codicon-toolbar-more, .codicon-view-pane-show-more, .codicon-more").first();

    await open(config.root);
    await untrusted(page, person);
    await trusted(page, person);
    await expandView();
    await row("greeter").waitFor();

    assert.ok(await offers("Evonic: Reload Plugin", ALWAYS), "evonic.connected");
    await openFile("app.py", "import");
    await reloads.waitFor({ state: "detached" });
    await openFile("plugins/greeter/handler.py", "WORD");
    await reloads.waitFor();
    mark("the title of the editor reloads, in a plugin's file only");

    const language = page.locator('[id="status.languageStatus"]');
    await language.hover();
    await page.locator(".hover-language-status", { hasText: "Evonic: greeter" }).first().waitFor();
    mark("the language status tells of the plugin");

    const onOther = await menu(folder("plugins"));
    assert.ok(!onOther.some((each) => each.includes("Plugin")), `${onOther}`);
    const off = await menu(folder("greeter"));
    assert.ok(off.includes("Reload Plugin") && off.includes("Enable Hot Reload for Plugin"), `${off}`);
    assert.ok(off.includes("Replay Last Event") && !off.includes("Disable Hot Reload for Plugin"), `${off}`);
    await row("greeter").hover();
    const inline = row("greeter").locator(".actions .action-label");
    const labels = await inline.evaluateAll((all) => all.map((each) => each.getAttribute("aria-label")));
    assert.deepEqual(labels, ["Reload Plugin", "Enable Hot Reload for Plugin", "Replay Last Event", "Show Plugin Log"]);
    await inline.nth(1).click();
    await row("greeter").filter({ hasText: "hot reload on" }).waitFor();
    const on = await menu(folder("greeter"));
    assert.ok(on.includes("Disable Hot Reload for Plugin") && !on.includes("Enable Hot Reload for Plugin"), `${on}`);
    mark("the explorer and the view offer what can be done with the plugin");

    await header.hover();
    const forAll = await menu(more, "left");
    assert.ok(forAll.includes("Disable Hot Reload") && !forAll.includes("Enable Hot Reload"), `${forAll}`);
    await person.command("Evonic: Disable Hot Reload");
    await row("greeter").filter({ hasText: "off for all" }).waitFor();
    await header.hover();
    const afterwards = await menu(more, "left");
    assert.ok(afterwards.includes("Enable Hot Reload") && !afterwards.includes("Disable Hot Reload"), `${afterwards}`);
    mark("the view's menu offers the switch that is not set");

    await host("stop");
    await page.locator(".pane-body .monaco-button", { hasText: "Install Bridge" }).first().waitFor();
    assert.equal(await offers("Evonic: Reload Plugin", ALWAYS), false, "evonic.connected");
    await reloads.waitFor({ state: "detached" });
    await status("Evonic").waitFor();
    mark("without a host, only what can be done without one");
  }),
);
