"""A sample plugin. Change a greeting here and save."""

GREETING = "Hello"
heard = []


def greet(name):
    return f"{GREETING}, {name}!"


def on_message_received(event, sdk):
    heard.append(event.get("message", ""))
    sdk.log(greet(event.get("external_user_id", "whoever you are")))


def on_slash_command_hello(sdk, args):
    return greet(args or "world")


def card(sdk):
    return {"title": "Messages heard", "value": len(heard)}


def cli_greet(name, loud=False):
    text = greet(name)
    print(text.upper() if loud else text)
