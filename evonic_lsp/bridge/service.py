"""What this host answers: the methods of the wire, the switches, the last outcomes.

One :class:`Service` lives in the server process, from the first start of the bridge to the end of the
process. Switching the bridge off in Evonic closes the socket; the engine stays, as what it has loaded does.
"""

from __future__ import annotations

import atexit
import dataclasses
import difflib
import logging
import os
import sqlite3
import threading
from concurrent.futures import Future
from typing import Any, Callable, Dict, List, Optional

from . import details, replay, wire
from .host import Host
from .listener import Listener
from .logpump import LogPump
from .messages import Cleared, Details
from .queue import ReloadQueue
from .reload import Engine
from .runtime import Runtime
from .wire import Change, HostStatus, LogEntry, Outcome, PluginInfo, WireError

_logger = logging.getLogger("evonic_lsp")
# The host logs a load that fails here; whoever watches its log finds ours in the same place.
_host_logger = logging.getLogger("backend.plugin_lifecycle")
_GLOBAL = "hotreload_enabled"
_OPTED_IN = "hotreload:"
_LEVELS = {wire.RELOADED: "info", wire.UNCHANGED: "info", wire.UNLOADED: "info", wire.DISABLED: "info"}


class Service:
    """The bridge in one server process. `app` is the Flask application that it serves."""

    def __init__(self, host: Host, app: Any) -> None:
        self.host = host
        self.engine = Engine(host, app)
        self.runtime = Runtime(host, self.engine.current, self._notify, self._later)
        self.log = LogPump(self._notify, self._later)
        self._app = app
        self.queue = ReloadQueue(self._reload, self._prepare)
        self.outcomes: Dict[str, Outcome] = {}
        self._listener: Optional[Listener] = None
        self._lock = threading.Lock()
        self._one_at_a_time = threading.RLock()
        self._methods: Dict[str, Callable[[Dict[str, Any]], Any]] = {
            "initialize": lambda params: self.status(),
            "plugins/list": lambda params: self.status().plugins,
            "plugin/willReload": self._on_will_reload,
            "plugin/reload": self._on_reload,
            "plugin/logs": self._on_logs,
            "plugin/details": self._on_details,
            "plugin/replay": self._on_replay,
            "plugin/clear": self._on_clear,
            "plugin/enable": self._on_enable,
            "hotreload/enable": lambda params: self._on_switch(params, True),
            "hotreload/disable": lambda params: self._on_switch(params, False),
            "hotreload/status": lambda params: self.status(),
        }
        self._take_over_manager()
        for plugin in host.plugins():
            if plugin != wire.BRIDGE_ID and host.enabled(plugin):
                self.engine.adopt(plugin, complete=not self._failed_to_load(plugin))
        for generation in self.engine.loaded().values():
            self.runtime.adopted(generation)
        self.runtime.listen(app)
        atexit.register(self.stop)

    def start(self) -> None:
        """Opens the socket, if it is not open. Raises OSError if none can be made."""
        with self._lock:
            if self._listener is None:
                listener = Listener(self.host.root, self.host.plugins_dir, self.answer)
                listener.start()
                self._listener = listener
                self.runtime.pump.stopped()  # whatever waited for the listener before
                self.log.pump.stopped()

    def stop(self) -> None:
        """Closes the socket."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def ready(self) -> None:
        """The host has started: reloads may run. Those plugins that it could not load are tried again, since
        the host keeps to itself what was wrong with them."""
        for plugin in self.host.plugins():
            if plugin != wire.BRIDGE_ID and self.host.enabled(plugin) and self._failed_to_load(plugin):
                self.queue.submit(plugin, wire.HOST)
        self.queue.open()

    # ── Methods of the wire ──

    def answer(self, method: str, params: Dict[str, Any]) -> Any:
        """The result of a request, or a future of it. Raises :class:`WireError`."""
        if method not in self._methods:
            raise WireError(wire.METHOD_NOT_FOUND, f"this host (evonic-lsp {wire.VERSION}) has no method {method!r}")
        return self._methods[method](params)

    def status(self) -> HostStatus:
        """The switches, and every plugin."""
        host = self.host
        listed = host.manifests()
        ids = sorted({*listed, *host.plugins(), *self.outcomes} - {wire.BRIDGE_ID})
        return HostStatus(
            root=host.root,
            plugins_dir=host.plugins_dir,
            version=host.version,
            bridge=wire.VERSION,
            pid=os.getpid(),
            enabled=self._switch(_GLOBAL, "1"),
            plugins=[self._info(plugin, listed.get(plugin, {})) for plugin in ids],
            degraded=host.degraded,
        )

    def _info(self, plugin: str, manifest: Dict[str, Any]) -> PluginInfo:
        serving = self.engine.serving(plugin)
        enabled = manifest.get("enabled")  # the host has looked: a look into its database costs more than all the rest
        decision = self.host.db.get_setting(_OPTED_IN + plugin, None)
        return PluginInfo(
            id=plugin,
            name=str(manifest.get("name", plugin)),
            version=str(manifest.get("version", "")),
            enabled=enabled if isinstance(enabled, bool) else self.host.enabled(plugin),
            hotreload=decision == "1",
            decided=decision is not None,
            generation=serving.number if serving else None,
            loaded_at=serving.loaded_at if serving else None,
            outcome=self.outcomes.get(plugin),
            errors=self.runtime.errors(plugin),
        )

    def _on_will_reload(self, params: Dict[str, Any]) -> None:
        """A notification: `plugin` was saved, and its reload will be asked for when it has been quiet for a moment."""
        self.queue.expect(self._known(params))

    def _on_reload(self, params: Dict[str, Any]) -> Any:
        plugin = self._known(params)
        asked_by = params.get("askedBy", wire.MANUAL)
        if asked_by not in (wire.SAVE, wire.MANUAL):
            raise WireError(wire.INVALID_PARAMS, f"askedBy must be {wire.SAVE!r} or {wire.MANUAL!r}")
        if asked_by == wire.SAVE and not self.engine.allowed(plugin):
            refusal = self._refusal(plugin)
            if refusal:
                return Outcome(plugin, wire.DISABLED, refusal, asked_by)
        return self.queue.submit(plugin, asked_by)

    def _on_logs(self, params: Dict[str, Any]) -> List[LogEntry]:
        plugin = self._known(params)
        limit = params.get("limit", 100)
        if type(limit) is not int or not 0 < limit <= 500:
            raise WireError(wire.INVALID_PARAMS, "limit must be a number from 1 to 500")
        entries = self.host.manager.get_logs(plugin, limit=limit)
        return [LogEntry(plugin, str(e["timestamp"]), str(e["level"]), str(e["message"])) for e in entries]

    def _on_details(self, params: Dict[str, Any]) -> Details:
        plugin = self._known(params)
        listed = self.host.manifests().get(plugin, {})
        serving = self.engine.serving(plugin)
        handlers = details.handlers(self.host, self._app, serving) if serving is not None else []
        return Details(self._info(plugin, listed), handlers)

    def _on_replay(self, params: Dict[str, Any]) -> Any:
        plugin = self._known(params)
        handler = params.get("handler")
        if handler is not None and not isinstance(handler, str):
            raise WireError(wire.INVALID_PARAMS, "handler must be the name of an event or of its function")
        if params.get("dryRun"):
            return replay.check(self.host, self.engine.slot(plugin), handler)
        return replay.replay(self.host, self.engine.slot(plugin), handler)

    def _on_clear(self, params: Dict[str, Any]) -> None:
        plugin = self._known(params)
        self.runtime.forget(plugin)
        self._notify("plugin/cleared", Cleared(plugin))

    def _on_enable(self, params: Dict[str, Any]) -> Future[PluginInfo]:
        """What the switch on the web page does; it waits for the queue, which others must not wait for."""
        plugin = self._known(params)
        done: Future[PluginInfo] = Future()

        def run() -> None:
            try:
                done.set_result(self._enable(plugin))
            except BaseException as error:  # whoever asked hears of it
                done.set_exception(error)

        threading.Thread(target=run, name=f"evonic-lsp enable {plugin}", daemon=True).start()
        return done

    def _enable(self, plugin: str) -> PluginInfo:
        answer = self.host.manager.set_plugin_enabled(plugin, True)
        if isinstance(answer, dict) and answer.get("error"):
            raise WireError(wire.REFUSED, f"Evonic does not switch {plugin} on: {answer['error']}")
        return self._info(plugin, self.host.manifests().get(plugin, {}))

    def _on_switch(self, params: Dict[str, Any], enabled: bool) -> HostStatus:
        plugin = None if params.get("plugin") is None else self._known(params)
        try:
            self.host.db.set_setting(_OPTED_IN + plugin if plugin else _GLOBAL, "1" if enabled else "0")
        except (sqlite3.Error, OSError) as error:  # a full disk, a database that somebody holds
            what = f"Evonic could not keep the switch, which stays as it was: {error}"
            raise WireError(wire.INTERNAL_ERROR, what) from None
        self._notify("hotreload/changed", Change(enabled, plugin))
        return self.status()

    def _known(self, params: Dict[str, Any]) -> str:
        """The plugin that a request names; refused if there is none of that id, or if it is the bridge."""
        plugin = wire.plugin_id(params.get("plugin"))
        if plugin == wire.BRIDGE_ID:
            message = "the bridge cannot reload itself: it would cut off who asks; restart Evonic instead"
            raise WireError(wire.REFUSED, message)
        if not self.host.exists(plugin) and self.engine.current(plugin) is None:
            near = difflib.get_close_matches(plugin, self.host.plugins(), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise WireError(wire.UNKNOWN_PLUGIN, f"there is no plugin {plugin} in {self.host.plugins_dir}{hint}")
        return plugin

    def _switch(self, key: str, default: str) -> bool:
        return bool(self.host.db.get_setting(key, default) == "1")

    def _refusal(self, plugin: str) -> Optional[str]:
        """Why a save of `plugin` does not reload it; None if it does."""
        if not self._switch(_GLOBAL, "1"):
            return "hot reload is switched off for all plugins"
        if not self._switch(_OPTED_IN + plugin, "0"):
            return f"hot reload is not switched on for {plugin}"
        return None

    # ── Reloading ──

    def _prepare(self, plugin: str) -> None:
        """In the queue's thread: what can be done before the reload."""
        self._unload_removed(plugin)
        with self._one_at_a_time:
            self.engine.prepare(plugin, lambda: self._refusal(plugin) is None)

    def _reload(self, plugin: str, asked_by: str) -> Outcome:
        """In the queue's thread: reloads, and then what imports it."""
        if not self.engine.is_prepared(plugin):
            self._unload_removed(plugin)
        with self._one_at_a_time:
            outcome = self.engine.reload(plugin, asked_by)
        if outcome.status != wire.RELOADED or "import" not in outcome.timings:
            return self._tell(plugin, outcome)
        dependents = self.engine.dependents(plugin)
        if dependents:
            names = ", ".join(dependents)
            message = f"{outcome.message}, and after it what imports it: {names}"
            outcome = dataclasses.replace(outcome, message=message, dependents=dependents)
        self._tell(plugin, outcome)
        for dependent in dependents:
            with self._one_at_a_time:
                after = self.engine.reload(dependent, wire.DEPENDENCY)
            self._tell(dependent, after)
        return outcome

    def _unload_removed(self, asked_for: str) -> None:
        """Plugins whose folder has gone, or has another name now, go with it."""
        there = set(os.listdir(self.host.plugins_dir))
        for plugin in self.engine.loaded():
            if plugin not in there and plugin != asked_for:
                with self._one_at_a_time:
                    outcome = self.engine.reload(plugin, wire.HOST)
                self._tell(plugin, outcome)

    def _tell(self, plugin: str, outcome: Outcome) -> Outcome:
        """Remembers an outcome, and tells everybody."""
        if outcome.status in (wire.RELOADED, wire.UNLOADED):
            self.runtime.replaced(outcome)
        self.outcomes[plugin] = outcome
        if not self.host.exists(plugin):
            self.outcomes.pop(plugin, None)
        self._notify("plugin/outcome", outcome)
        level = _LEVELS.get(outcome.status, "error")
        if outcome.status != wire.UNCHANGED:
            self.host.manager.add_log(plugin, level, f"Hot reload: {outcome.message}")
        if outcome.failed:
            trace = next((problem.traceback for problem in outcome.problems if problem.traceback), "")
            _host_logger.error("Failed to reload plugin '%s': %s\n%s", plugin, outcome.message, trace.rstrip())
        return outcome

    def _failed_to_load(self, plugin: str) -> bool:
        """Whether the host tried to load `plugin` when it started and could not: it has code, and nothing of it
        is in the manager's books."""
        manager, folder = self.host.manager, self.host.folder(plugin)
        if os.path.isfile(os.path.join(folder, "handler.py")) and plugin not in manager._modules:
            return True
        routes = os.path.isfile(os.path.join(folder, "routes.py"))
        routes = routes or callable(getattr(manager._modules.get(plugin), "create_blueprint", None))
        return routes and plugin not in manager._blueprints

    def _take_over_manager(self) -> None:
        """Whoever reloads through the manager (the web page, an install) goes through the same queue."""
        manager = self.host.manager
        unload, add_log = manager._unload_plugin, manager.add_log

        def reload_plugin(plugin: str) -> None:
            if plugin == wire.BRIDGE_ID:
                self._switched()
                return
            future = self.queue.submit(plugin, wire.HOST)
            # A plugin whose import asks for a reload would wait for itself.
            if not self.queue.mine() and not threading.current_thread().name.startswith("evonic-lsp import"):
                future.result()

        def unload_plugin(plugin: str) -> None:
            if plugin == wire.BRIDGE_ID:
                self.stop()
                unload(plugin)
            else:
                with self._one_at_a_time:
                    self.engine.unload(plugin)
                self.outcomes.pop(plugin, None)
                self.runtime.forget(plugin)
                self._notify("plugin/outcome", Outcome(plugin, wire.UNLOADED, f"{plugin} was unloaded", wire.HOST))

        def log(plugin: str, level: str, message: str) -> None:
            add_log(plugin, level, message)
            last = manager.get_logs(plugin, limit=1)
            if last:
                self.log.add(LogEntry(plugin, str(last[-1]["timestamp"]), level, str(message)))

        manager.reload_plugin, manager._unload_plugin, manager.add_log = reload_plugin, unload_plugin, log

    def _switched(self) -> None:
        """The bridge itself was switched on or off, or replaced by an upgrade, which takes a restart."""
        if self.host.enabled(wire.BRIDGE_ID):
            _logger.info("the bridge stays as it was loaded; restart Evonic after an upgrade")
            self.start()
        else:
            self.stop()

    def _later(self, delay: float, work: Callable[[], None]) -> bool:
        listener = self._listener
        return listener is not None and listener.call_later(delay, work)

    def _notify(self, method: str, params: Any) -> None:
        listener = self._listener
        if listener is not None:
            listener.notify(method, params)
