// Makes the vsix: the bundled server, the bundled extension, the package. The same input gives the same bytes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const folder = join(import.meta.dirname, "..");
const project = join(folder, "../..");
const libs = join(folder, "bundled/libs");
const venv = join(project, ".venv/bin/python");
const python = process.env.PYTHON ?? (existsSync(venv) ? venv : "python3");

function run(command, args, env = {}) {
  const done = spawnSync(command, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.error ?? `exit ${done.status}`}`);
}

// The libraries, once for each state of the list.
const list = join(folder, "python/requirements.txt");
const digest = createHash("sha256").update(readFileSync(list)).digest("hex");
const stamp = join(folder, "bundled/.list");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== digest) {
  rmSync(join(folder, "bundled"), { recursive: true, force: true });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore"];
  run(python, [...pip, "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes", "--target", libs, "-r", list]);
  writeFileSync(stamp, digest);
}
rmSync(join(libs, "evonic_lsp"), { recursive: true, force: true });
const isSource = (file) => basename(file) !== "__pycache__" && !file.endsWith(".pyc");
cpSync(join(project, "evonic_lsp"), join(libs, "evonic_lsp"), { recursive: true, filter: isSource });
cpSync(join(folder, "python/run.py"), join(folder, "bundled/run.py"));
tidy(join(folder, "bundled"));

run(process.execPath, [join(folder, "scripts/build.mjs")]);
const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const vsix = join(folder, `${name}-${version}.vsix`);
mkdirSync(join(folder, "dist"), { recursive: true });
run(process.execPath, [join(folder, "node_modules/@vscode/vsce/vsce"), "package", "--no-dependencies", "--allow-missing-repository", "--skip-license", "--out", vsix], {
  SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH ?? "1767225600",
});
const size = statSync(vsix).size;
console.log(`${vsix}: ${(size / 1e6).toFixed(2)} MB`);
if (size > 3e6) throw new Error("the package is over 3 MB");

/** Leaves what runs and what the licences ask for; permissions do not depend on who builds. */
function tidy(where) {
  for (const entry of readdirSync(where, { withFileTypes: true })) {
    const file = join(where, entry.name);
    const needless = ["__pycache__", "bin", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json"].includes(entry.name);
    if (/\.(so|pyd|dylib)$/.test(entry.name)) throw new Error(`${file} is not pure Python`);
    if (needless) rmSync(file, { recursive: true, force: true });
    else if (entry.isDirectory()) tidy(file);
    else chmodSync(file, 0o644);
  }
}
