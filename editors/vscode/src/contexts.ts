/** The context keys, by which commands and menus know when they make sense. */

import * as vscode from "vscode";
import type { Controller } from "./controller";
import type { Model } from "./model";
import { pluginFolders } from "./where";
import type { Ref } from "./types";

const shown = new Map<string, string>();

/** Sets a key, if that changes anything. */
export function setContext(key: string, value: unknown): void {
  const text = JSON.stringify(value);
  if (shown.get(key) !== text) {
    shown.set(key, text);
    void vscode.commands.executeCommand("setContext", `evonic.${key}`, value);
  }
}

export function updateContexts(controller: Controller, model: Model, active: Ref | undefined): void {
  const known = pluginFolders(model);
  setContext("running", controller.state === "running");
  setContext("stopped", controller.state === "stopped" || controller.state === "missing");
  setContext("connected", model.hosts.length > 0);
  setContext("hosts", model.hosts.length > 0 ? "connected" : model.overview.hosts.length > 0 ? "away" : "none");
  setContext("hotReloadOn", model.hosts.some(({ status }) => status.enabled));
  setContext("hotPlugins", model.plugins.some(({ info }) => info.hotreload));
  setContext("inPlugin", active !== undefined);
  setContext("pluginFolders", known.flatMap(({ folders }) => folders));
  setContext("hotFolders", known.filter(({ hot }) => hot).flatMap(({ folders }) => folders));
  if (model.last?.state === "ok") {
    setContext("hasReloaded", true);
  }
  if (model.last?.state === "failed") {
    setContext("hasFailed", true);
  }
}
