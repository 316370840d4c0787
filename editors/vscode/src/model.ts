/** What is known of the hosts and their plugins. The truth is theirs: it is asked for again after each notice. */

import * as vscode from "vscode";
import { SingleFlight } from "./flight";
import { failed, type HostStatus, type Overview, type PluginInfo, type Ref, type StatusParams } from "./types";

const NOTHING: Overview = { version: "", hosts: [], current: null };

export class Model implements vscode.Disposable {
  overview = NOTHING;
  /** The last notice about a plugin, while there is a host. */
  last: StatusParams | undefined;
  /** The last notice about the connection. */
  connection: StatusParams | undefined;
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changes.event;
  private readonly flight: SingleFlight;

  /** `ask` gets the overview from the server, or fails. */
  constructor(ask: () => Promise<Overview>) {
    this.flight = new SingleFlight(async () => {
      try {
        this.overview = await ask();
      } catch {
        return; // the server has gone meanwhile; `reset` follows
      }
      this.changes.fire();
    });
  }

  /** Takes a notice of the server. */
  notice(status: StatusParams): void {
    if (status.plugin === null) {
      this.connection = status;
      this.last = status.state === "disconnected" ? undefined : this.last;
    } else {
      this.last = status;
    }
    this.changes.fire();
    // In between, there is nothing that a host would tell.
    if (status.state !== "pending" && status.state !== "reloading") {
      void this.refresh();
    }
  }

  /** Asks the hosts again. */
  refresh(): Promise<void> {
    return this.flight.run();
  }

  /** The server is gone, and all that it has told. */
  reset(): void {
    this.overview = NOTHING;
    this.last = this.connection = undefined;
    this.changes.fire();
  }

  /** The hosts that answer. */
  get hosts(): { root: string; status: HostStatus }[] {
    return this.overview.hosts.flatMap(({ root, status }) => (status === null ? [] : [{ root, status }]));
  }

  /** Every plugin of the hosts that answer. */
  get plugins(): { ref: Ref; info: PluginInfo; host: HostStatus }[] {
    return this.hosts.flatMap(({ root, status }) =>
      status.plugins.map((info) => ({ ref: { root, plugin: info.id }, info, host: status })),
    );
  }

  find(ref: Ref): { info: PluginInfo; host: HostStatus } | undefined {
    return this.plugins.find((each) => each.ref.root === ref.root && each.ref.plugin === ref.plugin);
  }

  /** Whether what is on the disk of some plugin is not what serves. */
  get failing(): PluginInfo[] {
    return this.plugins.map(({ info }) => info).filter((info) => failed(info.outcome));
  }

  dispose(): void {
    this.changes.dispose();
  }
}
