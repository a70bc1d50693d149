# SPDX-License-Identifier: Apache-2.0
"""The main job in steps that the drivers of spark-jobs/jobs share.

features.py    images -> DIR/features        storage.py    Hadoop's file systems from Python
reduction.py   DIR/features -> DIR/pca       record.py     DIR/run.json, what the report is made of
command.py     options, messages, exit status
"""
