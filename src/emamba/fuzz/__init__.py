"""Random graphs, folded and fed at random, through every executor: what fails is shrunk and kept."""

from emamba.fuzz.campaign import Found, fuzz, replay

__all__ = ["Found", "fuzz", "replay"]
