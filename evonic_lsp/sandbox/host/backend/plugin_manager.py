"""The one plugin manager of the process, made by the first import; and what plugins import from here."""

from backend.plugin_hooks import (  # noqa: F401
    check_tool_guards,
    dispatch_state,
    get_busy_message,
    get_state_summary,
    get_turn_context,
    register_builtin_suppressor,
    register_busy_message_provider,
    register_message_interceptor,
    register_state_handler,
    register_tool_guard,
    register_turn_context_provider,
    run_message_interceptors,
    should_suppress_builtin,
    unregister_builtin_suppressor,
    unregister_busy_message_provider,
    unregister_message_interceptor,
    unregister_state_handler,
    unregister_tool_guard,
    unregister_turn_context_provider,
)
from backend.plugin_lifecycle import PluginManager

plugin_manager = PluginManager()
