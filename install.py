"""Prepares what VectraHub needs. Without an argument, as ComfyUI-Manager calls it: looks and changes nothing.

python install.py                       what is missing, and how to get it
python install.py host [--dev]          a private ComfyUI from the package index, with this checkout in it
python install.py host --comfyui DIR    the same with a ComfyUI that is already here
python install.py where python          a part of the prepared host (python, comfyui, base, version, json, cache)
python install.py serve                 the prepared host in a browser
python install.py models list           the weights that make it better
python install.py models get KEY        fetch one (the only command that downloads weights)
python install.py models check [KEY]    are they there and whole?
"""

import argparse
import json
import sys
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036  (before the imports: they do not load on an older one)
    sys.exit(f"VectraHub needs Python 3.10 or newer; this is {sys.version.split()[0]}.")

sys.dont_write_bytecode = True  # a look must leave no trace

from installer import check, host, models, serve
from installer.cache import InstallError, cache_folder


def main(arguments: list[str]) -> int:
    """Runs one command. Returns the exit code: 0 done, 1 not done (the reason on standard error), 2 bad usage."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except InstallError as problem:
        print(f"error: {problem}", file=sys.stderr)
    except OSError as problem:
        print(f"error: {problem}. Nothing was left half-written.", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 1


def _check(_options: argparse.Namespace) -> int:
    check.print_check()
    return 0


def _host(options: argparse.Namespace) -> int:
    cache = options.into.expanduser().absolute() if options.into else cache_folder()
    if options.comfyui:
        prepared = host.prepare_existing(cache, options.comfyui.expanduser(), options.python)
    elif options.python:
        raise InstallError("--python goes with --comfyui DIR; the private host makes its own.")
    else:
        prepared = host.prepare_private(cache, dev=options.dev)
    print(json.dumps(prepared, indent=2))
    return 0


def _serve(options: argparse.Namespace) -> int:
    return serve.serve(_prepared(), options.port)


def _prepared() -> dict[str, str]:
    if prepared := host.read_host(cache_folder()):
        return prepared
    raise InstallError("No host is prepared for this checkout. Run: python install.py host")


def _where(options: argparse.Namespace) -> int:
    cache = cache_folder()
    if options.part == "cache":
        print(cache)
        return 0
    prepared = _prepared()
    print(host.base_folder(cache) / "host.json" if options.part == "json" else prepared[options.part])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="install.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=_check)
    commands = parser.add_subparsers()

    private = commands.add_parser("host", help="prepare a private ComfyUI with this checkout in it")
    private.add_argument("--into", type=Path, metavar="DIR", help="put everything there instead of the cache")
    private.add_argument("--comfyui", type=Path, metavar="DIR", help="use this ComfyUI; nothing is installed into it")
    private.add_argument("--python", type=Path, metavar="PATH", help="the interpreter of --comfyui, if not beside it")
    private.add_argument("--dev", action="store_true", help="with the tools for tests and checks")
    private.set_defaults(run=_host)

    where = commands.add_parser("where", help="print a part of the prepared host")
    where.add_argument("part", choices=(*host.KEYS, "json", "cache"))
    where.set_defaults(run=_where)

    in_browser = commands.add_parser("serve", help="run the prepared host for a browser, until Ctrl-C")
    in_browser.add_argument("--port", type=int, default=8188, help="the first port to try (8188)")
    in_browser.set_defaults(run=_serve)

    models.add_commands(commands.add_parser("models", help="weights: list, get, check"))
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
