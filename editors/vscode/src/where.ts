/** Which plugin a file belongs to, and whether this workspace has to do with Evonic at all. */

import { existsSync, readFileSync, realpathSync } from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import type { Model } from "./model";
import { rootSetting } from "./settings";
import { ENDPOINT, type HostStatus, type Place, type Ref } from "./types";

const MANIFESTS = "{plugin.json,*/plugin.json,plugins/*/plugin.json,*/plugins/*/plugin.json}";
const MARKS = ["evonic", "app.py", "backend", "plugins"];

/** The folders of a plugin: as its host names it, and where that really leads. */
export interface Folders {
  ref: Ref;
  hot: boolean;
  folders: string[];
}

/** Every plugin's folders on this machine. */
export function pluginFolders(model: Model): Folders[] {
  const local = model.plugins.filter(({ ref }) => !ref.root.startsWith(ENDPOINT));
  return local.flatMap(({ ref, info, host }) => {
    const named = within(host.pluginsDir, info.id);
    return named === undefined ? [] : [{ ref, hot: info.hotreload, folders: [...new Set([named, real(named)])] }];
  });
}

/** The file and range of a place; nothing, unless the place is one of a file that is there, in its plugin or Evonic. */
export function locate(place: Place, host: HostStatus): { uri: vscode.Uri; range: vscode.Range } | undefined {
  const folder = place.plugin === null ? path.dirname(host.pluginsDir) : within(host.pluginsDir, place.plugin);
  const file = folder && within(folder, place.file);
  const { startLine, startColumn, endLine, endColumn } = place;
  const isRange = [startLine, startColumn, endLine, endColumn].every((each) => Number.isInteger(each) && each >= 0);
  if (file === undefined || !isRange || !existsSync(file)) {
    return undefined;
  }
  return { uri: vscode.Uri.file(file), range: new vscode.Range(startLine, startColumn, endLine, endColumn) };
}

/** The path of `name` below a folder; nothing, if it is absolute or climbs out of there. */
function within(folder: string, name: string): string | undefined {
  const relative = path.normalize(name);
  const climbs = path.isAbsolute(relative) || relative.split(path.sep)[0] === "..";
  return climbs ? undefined : path.join(folder, relative);
}

/** The plugin that a file or folder belongs to. */
export function pluginOf(uri: vscode.Uri | undefined, model: Model): Ref | undefined {
  if (uri?.scheme !== "file") {
    return undefined;
  }
  const files = [uri.fsPath, real(uri.fsPath)];
  const inside = (folder: string): boolean => files.some((file) => (file + path.sep).startsWith(folder + path.sep));
  return pluginFolders(model).find(({ folders }) => folders.some(inside))?.ref ?? byManifest(uri.fsPath, model);
}

/** The plugin of a host on another machine, by the nearest manifest above the file. */
function byManifest(file: string, model: Model): Ref | undefined {
  for (let folder = file; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const id = manifestId(folder);
    if (id !== undefined) {
      return model.plugins.map(({ ref }) => ref).find((ref) => ref.plugin === id && ref.root.startsWith(ENDPOINT));
    }
  }
  return undefined;
}

function manifestId(folder: string): string | undefined {
  const file = path.join(folder, "plugin.json");
  if (!existsSync(file)) {
    return undefined;
  }
  try {
    const manifest = JSON.parse(readFileSync(file, "utf8")) as { id?: unknown } | null;
    return typeof manifest?.id === "string" ? manifest.id : path.basename(folder);
  } catch {
    return path.basename(folder); // it is being edited, perhaps
  }
}

function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

export function isEvonic(folder: string): boolean {
  return MARKS.every((name) => existsSync(path.join(folder, name)));
}

/** The Evonics that the workspace shows: around its folders, or right below them. */
export async function rootsHere(): Promise<string[]> {
  const roots = new Set<string>();
  const configured = rootSetting();
  if (configured !== undefined && isEvonic(configured)) {
    roots.add(real(configured));
  }
  for (const { uri } of vscode.workspace.workspaceFolders ?? []) {
    for (let folder = uri.fsPath; folder !== path.dirname(folder); folder = path.dirname(folder)) {
      if (isEvonic(folder)) {
        roots.add(real(folder));
      }
    }
    for (const [name, type] of uri.scheme === "file" ? await entries(uri) : []) {
      if (type & vscode.FileType.Directory && isEvonic(path.join(uri.fsPath, name))) {
        roots.add(real(path.join(uri.fsPath, name)));
      }
    }
  }
  return [...roots];
}

async function entries(folder: vscode.Uri): Promise<[string, vscode.FileType][]> {
  try {
    return await vscode.workspace.fs.readDirectory(folder);
  } catch {
    return [];
  }
}

/**
 * Whether there is something of Evonic in the workspace. Other programs have a `plugin.json` as well: nobody who works
 * on those should see anything of this extension.
 */
export async function concernsEvonic(): Promise<boolean> {
  const settings = vscode.workspace.getConfiguration("evonic");
  if (settings.get<string>("endpoint") || settings.get<string>("root") || (await rootsHere()).length > 0) {
    return true;
  }
  const manifests = await vscode.workspace.findFiles(MANIFESTS, "**/node_modules/**", 200);
  return manifests.some(({ fsPath }) =>
    ["handler.py", "routes.py"].some((name) => existsSync(path.join(path.dirname(fsPath), name))),
  );
}
