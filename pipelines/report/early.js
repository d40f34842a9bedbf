// Before anything is shown: with scripts, charts stand where their numbers would.
document.documentElement.classList.add("scripts");
