"""Measurements that compare emamba with others, side by side in one run."""
