import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# How long an example takes says something of the machine, not of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
