// In place of @vscode/spdlog, which is compiled code that no npm package carries: with nothing in its place, VS Code's
// output channels stay empty. What is written is what spdlog writes.
"use strict";
const { appendFileSync, mkdirSync, writeFileSync } = require("node:fs");
const { dirname } = require("node:path");

const NAMES = ["trace", "debug", "info", "warning", "error", "critical", "off"];

class Logger {
  constructor(file) {
    this.file = file;
    this.level = 2;
    this.bare = false;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "", { flag: "a" });
    const methods = ["trace", "debug", "info", "warn", "error", "critical"];
    methods.forEach((method, level) => (this[method] = (text) => this.write(level, text)));
  }
  write(level, text) {
    if (level < this.level) return;
    const time = new Date().toISOString().replace("T", " ").replace("Z", "");
    appendFileSync(this.file, this.bare ? text : `${time} [${NAMES[level]}] ${text}\n`);
  }
  getLevel() { return this.level; }
  setLevel(level) { this.level = level; }
  clearFormatters() { this.bare = true; }
  setPattern() {}
  flush() {}
  drop() {}
}

exports.Logger = Logger;
exports.version = 0;
exports.setLevel = exports.setFlushOn = exports.shutdown = () => undefined;
exports.createRotatingLogger = async (name, file) => new Logger(file);
exports.createAsyncRotatingLogger = async (name, file) => new Logger(file);
