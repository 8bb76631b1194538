"""The fastest installed JSON library: orjson, else ujson, else Python's own."""
BOM = b"\xef\xbb\xbf"

try:
    import orjson as module
except ImportError:
    try:
        import ujson as module
    except ImportError:
        import json as module

NAME = module.__name__ + " " + getattr(module, "__version__", "")
if module.__name__ != "orjson":
    NAME += " (orjson is not installed)"


def loads(body):
    return module.loads(body.removeprefix(BOM))


def dumps(value):
    if module.__name__ == "orjson":
        return module.dumps(value).decode()
    options = {"escape_forward_slashes": False} if module.__name__ == "ujson" else {}
    return module.dumps(value, ensure_ascii=False, **options)
