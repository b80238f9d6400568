"""The archive in SQLite: the only room that speaks SQL.

Records come in and go out; every statement, migration and file error stays in here.
"""
