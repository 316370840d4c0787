/** The life of the language server: found, started, restarted, and what happens when it crashes. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type ClientCapabilities,
  type LanguageClientOptions,
  type StaticFeature,
} from "vscode-languageclient/node";
import { findServer, neutralFolder, type Found, type Server } from "./find";
import { SingleFlight } from "./flight";
import { ClientLog } from "./log";
import { MissedSaves } from "./missed";
import { settingsForServer } from "./settings";

export type ServerState = "off" | "starting" | "running" | "crashed" | "missing" | "stopped";

/** What the bridge takes for a file of a plugin; saves of others need not be told. */
export const FILES = "**/*.{py,json,yaml,yml,md,html,htm,jinja,jinja2,j2,txt,xml,css,js}";
const SELECTOR = [{ scheme: "file", pattern: FILES }];
const FIRST_DELAY = 500;
const MOST_CRASHES = 5;
// A server that has run this long has not crashed because of how it was started.
const SETTLED = 60_000;

/** The extension has a status item of its own: a second spinner beside it, for each reload, would be noise. */
const noProgress: StaticFeature = {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    capabilities.window = { ...capabilities.window, workDoneProgress: false };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

class Client extends LanguageClient {
  /** Into the log only: what a person must see, this extension says itself, with what can be done about it. */
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  /** The base class does this when a start fails, where it cannot succeed, and leaves the failure to nobody. */
  override async stop(timeout?: number): Promise<void> {
    const starting = this.state === State.Starting;
    try {
      await super.stop(timeout);
    } catch (error) {
      if (!starting) {
        throw error;
      }
    }
  }
}

/** What the owner of the controller is told. */
export interface Listener {
  /** The state has changed. */
  changed(): void;
  /** A client is about to start: the moment to add handlers to it. */
  starting(client: LanguageClient): void;
  /** No server was found; once for each try. */
  missing(found: Found): void;
  /** The server crashed. Once until it has settled; `given up` when it is not tried again. */
  crashed(givenUp: boolean): void;
}

export class Controller implements vscode.Disposable {
  state: ServerState = "off";
  server: Server | undefined;
  private client: LanguageClient | undefined;
  // The process of a server that has not answered yet.
  private unanswered: ChildProcess | undefined;
  private readonly flight = new SingleFlight(() => this.restartNow());
  private readonly missed = new MissedSaves(SELECTOR, () => this.state === "running");
  private crashes = 0;
  private startedAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private disposed = false;

  constructor(
    private readonly extension: string,
    private readonly log: vscode.LogOutputChannel,
    private readonly listener: Listener,
  ) {}

  /** Starts the server, or stops and starts it again. Asked while that is under way, it is done once more. */
  restart(): Promise<void> {
    this.crashes = 0;
    this.abandon();
    return this.flight.run();
  }

  /** The result of a request to the server; an error if there is no server. */
  request<T>(method: string, params: unknown): Promise<T> {
    if (this.client === undefined || this.state !== "running") {
      return Promise.reject(new Error("the Evonic language server is not running"));
    }
    return this.client.sendRequest<T>(method, params);
  }

  /** Tells the server the settings as they are now. */
  async configure(): Promise<void> {
    if (this.client !== undefined && this.state === "running") {
      const settings = { evonic: settingsForServer() };
      await this.client.sendNotification("workspace/didChangeConfiguration", { settings });
    }
  }

  /** Ends the server, for good. */
  async close(): Promise<void> {
    this.dispose();
    await this.stop();
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
    this.missed.dispose();
    this.abandon();
  }

  private set(state: ServerState): void {
    this.state = state;
    if (!this.disposed) {
      this.listener.changed();
    }
  }

  private async restartNow(): Promise<void> {
    clearTimeout(this.timer);
    this.set("starting"); // before the old one ends, which hears of nothing from now on
    await this.stop();
    const found = await findServer(this.extension);
    if (this.disposed) {
      return;
    }
    found.attempts.forEach(({ where, why }) => this.log.info(`No server by ${where}: ${why}`));
    this.server = found.server;
    if (found.server === undefined) {
      this.set("missing");
      this.listener.missing(found);
      return;
    }
    await this.start(found.server);
  }

  private async start(server: Server): Promise<void> {
    const shown = [server.command, ...server.args, "serve"].join(" ");
    this.log.info(`Starting evonic-lsp ${server.version} (${server.how}): ${shown}`);
    const client = this.make(server);
    this.client = client;
    this.listener.starting(client);
    try {
      await client.start();
    } catch (error) {
      this.log.error(`The server did not start: ${String(error)}`);
      this.ended(client);
      return;
    } finally {
      this.unanswered = undefined;
    }
    // It may have ended again meanwhile.
    if (this.client === client) {
      this.startedAt = Date.now();
      this.set("running");
      await this.missed.tell(client);
    }
  }

  private make(server: Server): LanguageClient {
    const output = new ClientLog(this.log);
    const options: LanguageClientOptions = {
      documentSelector: SELECTOR,
      // VS Code marks what is no JSON by itself.
      initializationOptions: { ...settingsForServer(), checksJson: true },
      outputChannel: output,
      traceOutputChannel: output,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: async () => {
          await new Promise(setImmediate); // a start that this ends is to fail first, or its failure is left to nobody
          this.ended(client);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: {
        workspace: {
          configuration: (params, token, next) => {
            const ours = params.items.every((item) => item.section === "evonic");
            return ours ? params.items.map(settingsForServer) : next(params, token);
          },
        },
      },
    };
    const client: LanguageClient = new Client("evonic", "Evonic", () => this.spawn(server), options);
    client.registerFeature(noProgress);
    return client;
  }

  private async spawn({ command, args }: Server): Promise<ChildProcess> {
    const child = spawn(command, [...args, "serve", "--stdio"], { cwd: neutralFolder(this.extension) });
    this.unanswered = child;
    child.on("error", (error) => this.log.error(`The server's process: ${error.message}`));
    await once(child, "spawn"); // or fails with what kept it from that
    return child;
  }

  /** Gives up on a server that has not answered. It may never do so, and the client can only wait for it. */
  private abandon(): void {
    if (this.unanswered !== undefined) {
      this.client = undefined; // this end is asked for
      this.unanswered.kill("SIGKILL");
      this.unanswered.stdout?.destroy(); // which a child of its own may hold open
    }
  }

  /** The server has ended, and nobody asked it to. */
  private ended(client: LanguageClient): void {
    if (this.client !== client || this.disposed) {
      return;
    }
    this.client = undefined;
    const settled = this.state === "running" && Date.now() - this.startedAt > SETTLED;
    this.crashes = settled ? 1 : this.crashes + 1;
    const givenUp = this.crashes > MOST_CRASHES;
    this.log.error(`The server has ended unexpectedly (${this.crashes})`);
    this.set(givenUp ? "stopped" : "crashed");
    if (givenUp || this.crashes === 1) {
      this.listener.crashed(givenUp);
    }
    if (!givenUp) {
      this.timer = setTimeout(() => void this.flight.run(), FIRST_DELAY * 2 ** (this.crashes - 1));
    }
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client !== undefined) {
      try {
        await client.stop();
      } catch (error) {
        this.log.warn(`The server did not stop in good order: ${String(error)}`);
      }
    }
  }
}

