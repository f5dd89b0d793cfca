"""What every test stands on: an environment that names no AWS, and Ctrl-C as a person's shell has it."""

import os
import signal

from hypothesis import settings

_LEADS_ELSEWHERE = ("AWS_", "BOTO_", "MOTO_", "TF_", "ECS_RUNBOOK_")
_WHERE_PROVIDERS_ARE = ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_MIRROR", "TF_PLUGIN_CACHE_DIR")

# A suite that a shell runs in the background ignores Ctrl-C, and so would whatever its tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The clients that tests make themselves are anybody's: a profile, an endpoint or keys of whoever runs the suite would
# lead them to a real account. Tests of what the environment does set their own.
for name in list(os.environ):
    if name.startswith(_LEADS_ELSEWHERE) and name not in _WHERE_PROVIDERS_ARE:
        del os.environ[name]
os.environ |= {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"]))

# How fast a machine is, and what else it does, is no behaviour of what is tested.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")
