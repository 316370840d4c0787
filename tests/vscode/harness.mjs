// VS Code's own web server with the packaged extension in it, and a browser to use it with.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const project = join(import.meta.dirname, "../..");
const { chromium } = createRequire(join(project, "editors/vscode/package.json"))("playwright-core");

/** What the pytest wrapper says: dir (of setup.sh), root, control, python, shots, chromium, … */
export const config = JSON.parse(process.env.EVONIC_TEST);
const LIMIT = 45_000;
const SETTINGS = {
  "telemetry.telemetryLevel": "off",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.enableExperiments": false,
  "extensions.ignoreRecommendations": true,
  "extensions.autoCheckUpdates": false,
  "update.mode": "none",
  "chat.commandCenter.enabled": false,
  "window.commandCenter": false,
  "workbench.layoutControl.enabled": false,
  "files.autoSave": "off",
  "git.enabled": false,
  "editor.minimap.enabled": false,
  "editor.autoIndent": "none",
  "editor.autoClosingBrackets": "never",
  "workbench.colorTheme": "Default Dark Modern",
};

const began = Date.now();
export const mark = (text) => console.log(`[${((Date.now() - began) / 1000).toFixed(2)}s] ${text}`);

/** Runs `use({ page, port, url, workspace })` in a fresh VS Code; `settings` are the person's. */
export async function withVsCode({ settings = {}, trust = false, env = {} }, use) {
  const folder = mkdtempSync(join(tmpdir(), "evonic-vscode-"));
  const server = await startServer(folder, { "security.workspace.trust.enabled": trust, ...settings }, env);
  mark(`VS Code is listening on ${server.port}`);
  let browser;
  try {
    browser = await chromium.launch({
      executablePath: config.chromium,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"],
    });
    const page = await (await browser.newContext({ viewport: { width: 1200, height: 760 } })).newPage();
    page.setDefaultTimeout(LIMIT / 3);
    try {
      await use({ page, ...server });
    } catch (error) {
      await page.screenshot({ path: join(config.shots, "failure.png") }).catch(() => undefined);
      console.log(`--- what VS Code printed ---\n${server.printed().slice(-3000)}`);
      throw error;
    }
  } finally {
    await browser?.close();
    await server.stop();
    if (process.env.EVONIC_TEST_KEEP) console.log(`kept ${folder}`);
    else rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

async function startServer(folder, settings, env) {
  const data = join(folder, "data");
  mkdirSync(join(data, "data/User"), { recursive: true });
  writeFileSync(join(data, "data/User/settings.json"), JSON.stringify({ ...SETTINGS, ...settings }, null, 1));
  const main = join(config.dir, "server/package/lib/vscode/out/server-main.js");
  const base = [main, "--accept-server-license-terms", "--server-data-dir", data, "--extensions-dir", join(folder, "ext"),
    "--telemetry-level", "off"];
  const environment = { ...process.env, EXTENSIONS_GALLERY: "{}", ...env };
  const installed = spawnSync(process.execPath, [...base, "--install-extension", config.vsix], { encoding: "utf8", env: environment });
  if (!/successfully installed/.test(installed.stdout)) {
    throw new Error(`the vsix was not installed\n${installed.stdout}${installed.stderr}`);
  }
  const args = [...base, "--host", "127.0.0.1", "--port", "0", "--without-connection-token"];
  const server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env: environment, detached: true });
  let log = "";
  const port = await new Promise((resolve, reject) => {
    const heard = (text) => {
      log += text;
      const found = /Extension host agent listening on (\d+)/.exec(log);
      if (found) resolve(Number(found[1]));
    };
    server.stdout.on("data", heard);
    server.stderr.on("data", heard);
    server.on("exit", (code) => reject(new Error(`VS Code ended with ${code}\n${log}`)));
  });
  const stop = async () => {
    const gone = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    const timer = setTimeout(() => server.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(timer);
    try {
      process.kill(-server.pid, "SIGKILL"); // an extension host may linger, in the same process group
    } catch {
      // none did
    }
  };
  return { port, origin: `http://127.0.0.1:${port}`, stop, printed: () => log };
}

/** Starts or stops the host under test. */
export async function host(what) {
  const answer = await fetch(`${config.control}/${what}`, { method: "POST" });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Runs the script; its end is that of the process. */
export async function main(script) {
  const timer = setTimeout(() => {
    console.error("the whole took too long");
    process.exit(3);
  }, 240_000);
  try {
    await script();
    mark("done");
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    clearTimeout(timer);
  }
}
