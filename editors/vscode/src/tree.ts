/** The Evonic view: hosts, their plugins, and what is wrong with those. */

import * as path from "node:path";
import * as vscode from "vscode";
import type { Model } from "./model";
import { clock, describe, since, stateOf } from "./text";
import { locate } from "./where";
import { ENDPOINT, failed, type HostEntry, type HostStatus, type PluginInfo, type Problem, type Ref } from "./types";

export type Node =
  | { kind: "host"; entry: HostEntry }
  | { kind: "plugin"; ref: Ref; info: PluginInfo; host: HostStatus }
  | { kind: "problem"; ref: Ref; problem: Problem; host: HostStatus };

export class Tree implements vscode.TreeDataProvider<Node> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;

  constructor(private readonly model: Model) {
    model.onDidChange(() => this.changes.fire(undefined));
  }

  getChildren(node?: Node): Node[] {
    if (node === undefined) {
      // Where no host answers, the view says what to do instead.
      const { hosts } = this.model.overview;
      return this.model.hosts.length === 0 ? [] : hosts.map((entry) => ({ kind: "host", entry }));
    }
    if (node.kind === "host") {
      const { root, status } = node.entry;
      return (status?.plugins ?? []).map((info) => {
        return { kind: "plugin", ref: { root, plugin: info.id }, info, host: status as HostStatus };
      });
    }
    if (node.kind === "plugin") {
      const { ref, host } = node;
      return (node.info.outcome?.problems ?? []).map((problem) => ({ kind: "problem", ref, problem, host }));
    }
    return [];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case "host":
        return this.host(node.entry);
      case "plugin":
        return plugin(node.ref, node.info, node.host);
      case "problem":
        return problem(node.ref, node.problem, node.host);
    }
  }

  private host({ root, status, message }: HostEntry): vscode.TreeItem {
    const name = root.startsWith(ENDPOINT) ? root.slice(ENDPOINT.length) : path.basename(root);
    const item = new vscode.TreeItem(name, vscode.TreeItemCollapsibleState.Expanded);
    item.id = root;
    if (status === null) {
      item.description = "does not answer";
      item.tooltip = `${root}\n${message}`;
      item.iconPath = new vscode.ThemeIcon("debug-disconnect");
      item.contextValue = "host.away";
      item.collapsibleState = vscode.TreeItemCollapsibleState.None;
      return item;
    }
    const old = status.bridge !== this.model.overview.version;
    const parts = [status.version, ...(status.enabled ? [] : ["hot reload off"]), ...(old ? ["other bridge"] : [])];
    item.description = parts.join(" · ");
    const lines = [status.root, `Evonic ${status.version}, process ${status.pid}, bridge ${status.bridge}`];
    item.tooltip = [...lines, ...status.degraded].join("\n");
    const warn = old || status.degraded.length > 0;
    item.iconPath = new vscode.ThemeIcon("server", warn ? new vscode.ThemeColor("list.warningForeground") : undefined);
    item.contextValue = old ? "host.old" : "host.on";
    return item;
  }
}

function plugin(ref: Ref, info: PluginInfo, host: HostStatus): vscode.TreeItem {
  const problems = info.outcome?.problems.length ?? 0;
  const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(info.id, problems === 0 ? None : failed(info.outcome) ? Expanded : Collapsed);
  // With another id, a plugin that fails now is expanded although it was not before.
  item.id = `${ref.root}/${info.id}${failed(info.outcome) ? "!" : ""}`;
  item.description = describe(info, host);
  item.iconPath = icon(info);
  item.contextValue = info.hotreload ? "plugin.on" : "plugin.off";
  const lines = [`${info.name} ${info.version}`, stateOf(info, host)];
  if (failed(info.outcome)) {
    lines.push(since(info));
  } else if (info.loadedAt !== null) {
    lines.push(`loaded at ${clock(info.loadedAt)}`);
  }
  item.tooltip = [...lines, ...(info.outcome === null ? [] : [info.outcome.message])].join("\n");
  return item;
}

function icon(info: PluginInfo): vscode.ThemeIcon {
  if (failed(info.outcome)) {
    return new vscode.ThemeIcon("error", new vscode.ThemeColor("list.errorForeground"));
  }
  if (!info.enabled || !info.hotreload) {
    return new vscode.ThemeIcon("circle-outline");
  }
  return new vscode.ThemeIcon("zap");
}

function problem(ref: Ref, { code, message, place, severity }: Problem, host: HostStatus): vscode.TreeItem {
  const item = new vscode.TreeItem(message.split("\n")[0] ?? code);
  item.tooltip = message;
  item.iconPath = new vscode.ThemeIcon(severity === "error" ? "error" : "warning");
  item.contextValue = "problem";
  if (place !== null) {
    item.description = `${place.file}:${place.startLine + 1}`;
    const found = ref.root.startsWith(ENDPOINT) ? undefined : locate(place, host);
    if (found !== undefined) {
      item.command = { title: "Open", command: "vscode.open", arguments: [found.uri, { selection: found.range }] };
    }
  }
  return item;
}
