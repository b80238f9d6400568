@echo off
rem Runs the tests, all of them. With --quick those stay out that repeat something for proof (marked
rem slow). Other arguments go to pytest (-n 0 for one test at a time).
setlocal
set "group=dev"
call "%~dp0environment.cmd"
if not %errorlevel%==0 exit /b 1
set "arguments="
:next
if "%~1"=="" goto run
if "%~1"=="--quick" (set arguments=%arguments% -m "not slow") else (set arguments=%arguments% %1)
shift
goto next
:run
pushd "%~dp0.."
".venv\Scripts\python.exe" -m pytest -n auto --dist worksteal %arguments%
set "code=%errorlevel%"
popd
exit /b %code%
