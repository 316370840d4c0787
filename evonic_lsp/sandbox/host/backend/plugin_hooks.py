"""The six hook registries. A hook that raises counts as one that had nothing to say, and nobody is told."""

from typing import Any, Callable, Dict, Iterator, List, Optional

_tool_guards: List[Callable] = []  # (agent_id, tool_name, args) -> {"block": True, "error": …} or None
_message_interceptors: List[Callable] = []  # (agent_id, content, messages) -> {"inject": text or messages} or None
_turn_context_providers: List[Callable] = []  # (agent_id, session_id) -> {"id": …, "system_md": …} or None
_busy_message_providers: List[Callable] = []  # (agent_id, agent_state) -> text or None
_builtin_suppressors: List[Callable] = []  # (agent_id, tool_name, tool_def) -> whether the tool is hidden
_state_handlers: Dict[str, Callable] = {}  # namespace -> (agent_id, session_id, agent_state, label, data) -> dict


def _add(registry: List[Callable], hook: Callable) -> None:
    if hook not in registry:
        registry.append(hook)


def _drop(registry: List[Callable], hook: Callable) -> None:
    if hook in registry:
        registry.remove(hook)


def _answers(hooks: List[Callable], *arguments: Any) -> Iterator[Any]:
    """What the hooks have to say, in turn; each is asked only when its turn comes."""
    for hook in hooks:
        try:
            answer = hook(*arguments)
        except Exception:
            continue
        if answer:
            yield answer


# ── Tool guards: forbid the call of a tool ──


def register_tool_guard(fn: Callable) -> None:
    _add(_tool_guards, fn)


def unregister_tool_guard(fn: Callable) -> None:
    _drop(_tool_guards, fn)


def check_tool_guards(agent_id: str, tool_name: str, args: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """The first answer that blocks the call, None if it is allowed."""
    for answer in _answers(list(_tool_guards), agent_id, tool_name, args):
        if isinstance(answer, dict) and answer.get("block"):
            return answer
    return None


# ── Message interceptors: put messages into a conversation ──


def register_message_interceptor(fn: Callable) -> None:
    _add(_message_interceptors, fn)


def unregister_message_interceptor(fn: Callable) -> None:
    _drop(_message_interceptors, fn)


def run_message_interceptors(agent_id: str, content: str, messages: List[Any]) -> List[Any]:
    """All messages to be put in; a text counts as one of the user."""
    found: List[Any] = []
    for answer in _answers(list(_message_interceptors), agent_id, content, messages):
        inject = answer.get("inject") if isinstance(answer, dict) else None
        if isinstance(inject, str) and inject:
            found.append({"role": "user", "content": inject})
        elif isinstance(inject, list):
            found += inject
    return found


# ── Turn contexts: tools and text for the start of a turn ──


def register_turn_context_provider(fn: Callable) -> None:
    _add(_turn_context_providers, fn)


def unregister_turn_context_provider(fn: Callable) -> None:
    _drop(_turn_context_providers, fn)


def get_turn_context(agent_id: str, session_id: str) -> List[Dict[str, Any]]:
    """All contexts, in the order of registration."""
    return list(_answers(list(_turn_context_providers), agent_id, session_id))


# ── Busy messages: why an agent cannot answer now ──


def register_busy_message_provider(fn: Callable) -> None:
    _add(_busy_message_providers, fn)


def unregister_busy_message_provider(fn: Callable) -> None:
    _drop(_busy_message_providers, fn)


def get_busy_message(agent_id: str, agent_state: Any) -> Optional[str]:
    """The first text; who registered last is asked first."""
    return next(_answers(_busy_message_providers[::-1], agent_id, agent_state), None)


# ── Builtin suppressors: hide a tool of the host ──


def register_builtin_suppressor(fn: Callable) -> None:
    _add(_builtin_suppressors, fn)


def unregister_builtin_suppressor(fn: Callable) -> None:
    _drop(_builtin_suppressors, fn)


def should_suppress_builtin(agent_id: str, tool_name: str, tool_def: Dict[str, Any]) -> bool:
    """Whether anybody wants the tool hidden."""
    return any(_answers(list(_builtin_suppressors), agent_id, tool_name, tool_def))


# ── State handlers: one for each namespace ──


def register_state_handler(namespace: str, fn: Callable) -> None:
    _state_handlers[namespace] = fn


def unregister_state_handler(namespace: str) -> None:
    _state_handlers.pop(namespace, None)


def dispatch_state(agent_id: str, session_id: str, agent_state: Any, label: str, data: Any) -> Dict[str, Any]:
    """The answer of the handler of the namespace before the colon in `label`, or ``{"error": …}``."""
    namespace = label.partition(":")[0]
    handler = _state_handlers.get(namespace)
    if handler is None:
        known = ", ".join(_state_handlers) or "none"
        return {"error": f"there is no state handler for '{label}' (known namespaces: {known})"}
    try:
        answer = handler(agent_id, session_id, agent_state, label, data)
    except Exception as error:
        return {"error": f"the state handler of '{namespace}' failed: {error}", "namespace": namespace}
    if answer is None:
        return {"error": f"the state handler of '{namespace}' did not answer '{label}'"}
    return {**answer, "namespace": namespace}


def get_state_summary(agent_state: Any) -> Dict[str, Any]:
    """The states of an agent, and which namespaces there are."""
    states = getattr(agent_state, "states", None)
    return {"states": {}} if states is None else {"states": states, "registered_namespaces": list(_state_handlers)}
