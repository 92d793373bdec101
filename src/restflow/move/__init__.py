"""``python -m restflow.move PATH...``: rewrites a project's DRF and adrf views for restflow. Needs libcst."""
