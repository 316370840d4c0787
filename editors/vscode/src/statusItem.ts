/** The item in the status bar, and the one for the file at hand. */

import * as vscode from "vscode";
import type { Controller } from "./controller";
import { FILES } from "./controller";
import type { Model } from "./model";
import { describe, inert, since } from "./text";
import type { Ref } from "./types";

/** What is shown; also what other extensions (and tests) are told. */
export interface Look {
  state: "starting" | "stopped" | "disconnected" | "idle" | "pending" | "reloading" | "ok" | "failed" | "stuck";
  text: string;
  tooltip: string;
  error: boolean;
}

export function look(controller: Controller, model: Model): Look {
  const plain = (state: Look["state"], icon: string, tooltip: string): Look => {
    return { state, text: `$(${icon}) Evonic`, tooltip, error: false };
  };
  switch (controller.state) {
    case "off":
    case "starting":
      return plain("starting", "loading~spin", "The language server is starting");
    case "crashed":
      return plain("starting", "loading~spin", "The language server has ended, and is being started again");
    case "missing":
      return plain("stopped", "warning", "No language server was found; click to see what can be done");
    case "stopped":
      return plain("stopped", "warning", "The language server does not run; click to see what can be done");
    case "running":
  }
  if (model.last !== undefined) {
    return lookOfPlugin(model, model.last);
  }
  if (model.connection?.state === "idle" || model.hosts.length > 0) {
    return plain("idle", "zap", model.connection?.message ?? "Connected");
  }
  return plain("disconnected", "debug-disconnect", model.connection?.message ?? "No running Evonic was found");
}

function lookOfPlugin(model: Model, last: NonNullable<Model["last"]>): Look {
  const plugin = last.plugin ?? "";
  const { state, message: tooltip } = last;
  const named = (icon: string, more = ""): Omit<Look, "state"> => {
    return { text: `$(${icon}) Evonic: ${inert(plugin)}${more}`, tooltip, error: false };
  };
  switch (state) {
    case "pending":
      return { state, ...named("watch") };
    case "reloading":
      return { state, ...named("sync~spin") };
    case "ok":
      return { state, ...named("check", ` ok in ${(last.durationMs ?? 0).toFixed(0)} ms`) };
    case "failed": {
      const info = model.plugins.find((each) => each.info.id === plugin)?.info;
      const stuck = info?.outcome?.status === "stuck";
      return { state: stuck ? "stuck" : state, ...named("error", stuck ? " stuck" : " failed"), error: true };
    }
    case "disconnected":
      return { state, text: "$(debug-disconnect) Evonic", tooltip, error: false };
    case "idle":
      return { state, text: "$(zap) Evonic", tooltip, error: false };
  }
}

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("evonic.status", vscode.StatusBarAlignment.Left, 10);

  constructor() {
    this.item.name = "Evonic";
    this.item.command = "evonic.showActions";
  }

  update(shown: Look, model: Model): void {
    this.item.text = shown.text;
    this.item.tooltip = tooltip(shown, model);
    this.item.backgroundColor = shown.error ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
    this.item.accessibilityInformation = { label: `Evonic ${shown.state}: ${shown.tooltip}`, role: "button" };
    this.item.show();
  }

  dispose(): void {
    this.item.dispose();
  }
}

function tooltip(shown: Look, model: Model): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendText(shown.tooltip);
  for (const info of model.failing) {
    const message = info.outcome?.message ?? "";
    if (message !== shown.tooltip) {
      text.appendMarkdown("\n\n").appendText(`${info.id}: ${message}`);
    }
  }
  return text;
}

/** In the language status of a plugin's file: its hot reload, and the generation that serves. */
export class FileStatus implements vscode.Disposable {
  private item: vscode.LanguageStatusItem | undefined;

  update(ref: Ref | undefined, model: Model): void {
    const found = ref && model.find(ref);
    if (ref === undefined || found === undefined) {
      this.dispose();
      return;
    }
    this.item ??= vscode.languages.createLanguageStatusItem("evonic.file", { scheme: "file", pattern: FILES });
    const { info } = found;
    const failing = model.failing.includes(info);
    this.item.name = "Evonic";
    this.item.text = `Evonic: ${inert(info.id)}`;
    this.item.detail = inert(failing ? `failed, ${since(info)}` : describe(info, found.host));
    this.item.severity = failing ? vscode.LanguageStatusSeverity.Error : vscode.LanguageStatusSeverity.Information;
    this.item.command = { title: "Actions", command: "evonic.showActions", arguments: [ref] };
  }

  dispose(): void {
    this.item?.dispose();
    this.item = undefined;
  }
}
