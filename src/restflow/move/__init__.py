"""``python -m restflow.move PATH...``: rewrites a project's views of DRF's and adrf's for restflow. Needs libcst."""
