"""A search space whose trials take a second."""

import os
import signal
import time

from emamba.search import worker
from emamba.search.study import open_study, trials
from toy import TOY

DIMENSIONS = """
[[dimension]]
key = "model.d_model"
choices = [2, 4, 6]
reason = "width"

[[dimension]]
key = "convolution"
choices = [{ "model.convolution" = "depthwise" }, { "model.convolution" = "square", "model.d_conv" = 3 }]
reason = "several keys at once"
"""


def write_space(folder, recipe=TOY, epochs="[1, 2]", dimensions=DIMENSIONS):
    """The path of a space in `folder` that starts from `recipe`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.toml").write_text(recipe)
    path = folder / "small.toml"
    path.write_text(f'recipe = "{folder / "toy.toml"}"\nepochs = {epochs}\nframes = 40\n{dimensions}')
    return path


def wait_for(condition, seconds=300):
    """Until `condition` holds, or so long."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)


def die(order, number):
    """A worker that the system kills at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(order, number):
    """A worker; the first one to train a second time is killed in the middle of that, once."""
    true = worker.trained

    def trained(*given):
        study = open_study(order.plan, order.storage)
        if trials(study):
            try:
                (order.folder / "killed").open("x").close()
            except FileExistsError:  # the others wait until the lost trial is asked again, or they would end the search
                wait_for(lambda: any("lost" in it.user_attrs for it in study.get_trials(deepcopy=False)))
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return true(*given)

    worker.trained = trained
    try:
        worker.work(order, number)
    finally:
        worker.trained = true
