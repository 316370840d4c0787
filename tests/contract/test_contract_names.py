"""The names and the parameters that plugins and the bridge use: whoever calls one host correctly calls the other."""

from __future__ import annotations

import pytest

HOOK = "fn"
PARAMETERS = {
    "backend.plugin_hooks": {
        "check_tool_guards": "agent_id tool_name args",
        "run_message_interceptors": "agent_id content messages",
        "get_turn_context": "agent_id session_id",
        "get_busy_message": "agent_id agent_state",
        "should_suppress_builtin": "agent_id tool_name tool_def",
        "dispatch_state": "agent_id session_id agent_state label data",
        "get_state_summary": "agent_state",
        "register_state_handler": "namespace fn",
        "unregister_state_handler": "namespace",
        **{
            f"{verb}_{kind}": HOOK
            for verb in ("register", "unregister")
            for kind in (
                "tool_guard",
                "message_interceptor",
                "turn_context_provider",
                "busy_message_provider",
                "builtin_suppressor",
            )
        },
    },
    "backend.plugin_sdk": {
        "PluginSDK": "plugin_id plugin_config event_data log_callback",
        "PluginSDK.log": "self message level",
        "PluginSDK.send_message": "self agent_id external_user_id channel_id text",
        "PluginSDK.http_request": "self method url headers json data timeout",
        "PluginSDK.get_session": "self session_id",
        "PluginSDK.get_session_messages": "self session_id agent_id limit",
        "PluginSDK.create_schedule": "self name trigger_type trigger_config action_type action_config "
        "max_runs metadata",
        "PluginSDK.cancel_schedule": "self schedule_id",
        "PluginSDK.list_schedules": "self",
        "PluginSDK.register_slash_command": "self name description",
        "PluginSDK.get_db": "self",
        "PluginSDK.get_db_connection": "self",
    },
    "backend.plugin_lifecycle": {
        "PluginManager": "",
        "PluginManager._load_plugin": "self plugin_id",
        "PluginManager._unload_plugin": "self plugin_id",
        "PluginManager._make_event_bridge": "self plugin_id fn",
        "PluginManager._safe_call": "self plugin_id fn event sdk",
        "PluginManager._is_plugin_enabled": "self plugin_id",
        "PluginManager._read_manifest": "self plugin_id",
        "PluginManager.reload_plugin": "self plugin_id",
        "PluginManager.add_log": "self plugin_id level message",
        "PluginManager.get_logs": "self plugin_id limit since",
        "PluginManager.clear_logs": "self plugin_id",
        "PluginManager.get_blueprints": "self",
        "PluginManager.get_blueprint_names": "self",
        "PluginManager.dispatch": "self event_name event_data",
        "PluginManager.list_plugins": "self",
        "PluginManager.get_plugin": "self plugin_id",
        "PluginManager.get_nav_items": "self",
        "PluginManager.get_cli_commands": "self",
        "PluginManager.get_dashboard_cards": "self",
        "PluginManager.get_plugin_variables": "self plugin_id",
        "PluginManager.get_plugin_config": "self plugin_id",
        "PluginManager.set_plugin_config": "self plugin_id values",
        "PluginManager.set_plugin_enabled": "self plugin_id enabled",
        "PluginManager.install_plugin": "self zip_path force",
        "PluginManager.install_plugin_from_dir": "self source_dir force",
        "PluginManager.uninstall_plugin": "self plugin_id",
    },
    "backend.event_stream": {
        "event_stream.on": "event_name callback",
        "event_stream.off": "event_name callback",
        "event_stream.emit": "event_name data",
        "event_stream.get_session_events": "session_id after_seq",
    },
    "backend.slash_commands": {
        "command_registry.register": "name handler description",
        "command_registry.get": "name",
        "command_registry.list_commands": "",
        "execute_command": "cmd_name args session_id agent_id external_user_id channel_id",
    },
    "backend.scheduler": {
        "scheduler.create_schedule": "name owner_type owner_id trigger_type trigger_config action_type action_config "
        "max_runs metadata",
        "scheduler.cancel_schedule": "schedule_id owner_id",
    },
    "models.db": {"db.get_setting": "key default", "db.set_setting": "key value"},
}
ASK = """
import functools, importlib, inspect
module = importlib.import_module(where)
found = {name: functools.reduce(getattr, name.split("."), module) for name in names}
result = {name: " ".join(inspect.signature(each).parameters) for name, each in found.items()}
"""


@pytest.mark.parametrize("where", PARAMETERS)
def test_parameters(look, where):
    assert look(ASK, where=where, names=list(PARAMETERS[where])) == PARAMETERS[where]


def test_the_events_that_there_are(look):
    events = look("from backend.plugin_lifecycle import VALID_EVENTS\nresult = sorted(VALID_EVENTS)")
    assert events == sorted(
        [
            "turn_complete",
            "message_received",
            "session_created",
            "summary_updated",
            "processing_started",
            "llm_thinking",
            "llm_response_chunk",
            "tool_executed",
            "final_answer",
            "message_sent",
            "kanban_task_created",
            "kanban_task_updated",
            "schedule_fired",
            "schedule_created",
            "schedule_cancelled",
            "state_transition",
        ]
    )


def test_they_log_under_their_own_names(look):
    modules = ["backend.plugin_lifecycle", "backend.plugin_sdk", "backend.event_stream"]
    code = "import importlib\nresult = [importlib.import_module(each)._logger.name for each in modules]"
    assert look(code, modules=modules) == modules


def test_the_manager_is_one_for_the_whole_process(look):
    code = "from backend import plugin_manager as p\nfrom backend.plugin_lifecycle import PluginManager\n"
    assert (
        look(code + "result = [type(p.plugin_manager) is PluginManager, p.PluginManager is PluginManager]")
        == [True] * 2
    )
