// A host whose names, texts and places try something (hostile_server.py): nothing that is shown is a link, and nothing
// outside of Evonic is opened.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { config, main, mark, withVsCode } from "./harness.mjs";
import { hands } from "./hands.mjs";

const LINK = "[Click me](command:workbench.action.files.newUntitledFile)";
const server = join(config.work, "evonic-lsp");
const go = join(config.work, "go");
const outside = join(dirname(config.root), "outside.py");
const hostile = { link: LINK, root: join(config.work, LINK), plugins: join(config.root, "plugins"), outside, go };

mkdirSync(config.work, { recursive: true });
mkdirSync(join(config.root, "plugins", LINK));
writeFileSync(join(config.root, "plugins", LINK, "plugin.json"), "{}");
writeFileSync(join(config.root, "plugins", LINK, "handler.py"), "FIRST = 1\nSECOND = 2\n");
writeFileSync(outside, "OUTSIDE = 1\n");
writeFileSync(server, `#!/bin/sh\nexec "${config.python}" "${join(import.meta.dirname, "hostile_server.py")}" "$@"\n`);
chmodSync(server, 0o755);
assert.equal(spawnSync("mkfifo", [go]).status, 0);

await main(() =>
  withVsCode({ settings: { "evonic.server.path": server }, env: { EVONIC_HOSTILE: JSON.stringify(hostile) } }, async ({ page, origin }) => {
    const { choice, command, enlargeView, expandView, open, status } = hands(page, origin);
    const text = "(command:";
    const notification = (says) => page.locator(".notification-list-item", { hasText: says }).filter({ hasText: text }).first();
    const harmless = async (where) => {
      assert.equal(await page.locator("a[href], a[data-href], a.monaco-link", { hasText: "Click me" }).count(), 0, where);
      mark(`no link: ${where}`);
    };

    await open(config.root);
    await notification("has the bridge 9.9.9").waitFor();
    await harmless("a message about the versions");
    assert.equal(await page.locator(".notification-list-item .monaco-button").count(), 1, "but for Show Log, no button");
    await command("Notifications: Clear All Notifications");

    await status("failed").waitFor();
    assert.ok((await status("failed").textContent()).includes("$ (bug)"), "a name is no icon");
    await status("failed").hover();
    await page.locator(".monaco-hover", { hasText: text }).first().waitFor();
    await harmless("the tooltip of the status item");
    await page.mouse.move(700, 300);
    await page.locator(".monaco-hover", { hasText: text }).first().waitFor({ state: "hidden" });

    await expandView();
    await enlargeView();
    const problem = (says) => page.locator(".pane-body .monaco-list-row", { hasText: says }).first();
    const tab = (name) => page.locator(".tabs-container .tab", { hasText: name });
    await problem("is before the file").waitFor();
    await harmless("the view");
    await page.screenshot({ path: `${config.shots}/hostile.png` });
    for (const says of ["climbs", "climbs by the plugin", "is absolute", "is before the file"]) await problem(says).click();
    await problem("is fine").click();
    await tab("handler.py").waitFor();
    assert.equal(await page.locator(".tabs-container .tab").count(), 1, "what is outside is not opened");
    await status("Ln 2").waitFor();
    mark("only the place that is one is opened");

    await page.locator('[id="status.languageStatus"]').hover();
    await page.locator(".hover-language-status", { hasText: text }).first().waitFor();
    await harmless("the language status");

    await command("Evonic: Install Bridge into Evonic");
    await choice(hostile.root).click();
    await notification("Installing the bridge into").waitFor();
    await harmless("the title of a progress");
    writeFileSync(go, "");
    await notification("Error").or(page.locator(".notification-list-item .codicon-error").first()).first().waitFor();
    await harmless("what a command printed");
  }),
);
