"""What the widget's page says, in Spanish and in English, and which of the two a reader wants."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DEFAULT_LANGUAGE: Final = "en"

_SPANISH: Final = {
    "switch": "English",
    "stand_in": "Emulador de {provider}: no es un banco",
    "stand_in_more": "Esta página reemplaza al widget de {provider} en las pruebas. No escribas datos reales.",
    "start_title": "Abrir el widget",
    "start_text": "Tu aplicación lo abre con un token. Para hacerlo a mano, pégalo aquí.",
    "token_label": "Token del widget",
    "token_missing": "Falta el token: pégalo en el campo.",
    "open": "Abrir",
    "connect_title": "Conecta tu banco",
    "bank_label": "Banco",
    "bank_choose": "Elige un banco",
    "bank_missing": "Elige un banco de la lista.",
    "username_label": "Usuario o RUT",
    "username_hint": "Con cualquiera, las actualizaciones resultan bien. Palabras del guion separadas por comas, como "
    "«mfa,succeeds», eligen qué pasa en cada una.",
    "username_missing": "Escribe un usuario: cualquiera sirve.",
    "password_label": "Contraseña",
    "password_hint": "Cualquiera es correcta, menos «wrong».",
    "password_missing": "Escribe una contraseña: cualquiera sirve.",
    "login_refused": "El banco rechazó el ingreso. Prueba con otra contraseña.",
    "connect": "Conectar",
    "close": "Cerrar",
    "code_title": "Ingresa el código de tu banco",
    "code_text": "Abre la app de {bank}: te muestra un código. Escríbelo aquí para actualizar tus movimientos.",
    "your_bank": "tu banco",
    "time_left": "Tiempo restante",
    "clock_stands": "El reloj del emulador está detenido.",
    "clock_runs": "El reloj del emulador corre {speed} veces más rápido que el tuyo.",
    "code_label": "Código",
    "code_hint": "Cualquier código es correcto, menos «0000».",
    "code_missing": "Escribe un código: cualquiera sirve, menos «0000».",
    "send_code": "Enviar código",
    "walk_away": "Cerrar sin responder",
    "connected_title": "Banco conectado",
    "connected_text": "Este token de intercambio es para el servidor de tu aplicación, que lo canjea una sola vez.",
    "exchange_label": "Token de intercambio",
    "accepted_title": "Código aceptado",
    "accepted_text": "La actualización sigue su curso; tu aplicación sabrá cómo termina. Ya puedes cerrar esta página.",
    "refused_title": "El banco rechazó el código",
    "refused_text": "Con esto la actualización termina en {provider}, sin segundo intento. Para probar otra vez, tu "
    "aplicación tiene que crear una nueva.",
    "left_title": "Cerraste el widget",
    "left_text": "El banco se queda sin respuesta. Ya puedes cerrar esta página.",
    "expired_title": "Se acabó el tiempo",
    "expired_text": "Este token ya no sirve. Tu aplicación puede empezar de nuevo, con uno nuevo.",
    "stopped_title": "El widget no se puede abrir",
    "stopped_text": "El token no existe, ya se usó o venció.",
    "key_text": "La clave pública con que tu aplicación abrió el widget no es una de las claves públicas de este "
    "emulador.",
    "detail": "El emulador dice:",
    "back": "Volver a la aplicación",
    "offline": "El emulador no responde. ¿Sigue funcionando?",
}

_ENGLISH: Final = {
    "switch": "Español",
    "stand_in": "{provider} emulator: not a bank",
    "stand_in_more": "This page stands in for {provider}'s widget in tests. Type nothing real.",
    "start_title": "Open the widget",
    "start_text": "Your application opens it with a token. To do it by hand, paste one here.",
    "token_label": "Widget token",
    "token_missing": "The token is missing: paste it into the field.",
    "open": "Open",
    "connect_title": "Connect your bank",
    "bank_label": "Bank",
    "bank_choose": "Choose a bank",
    "bank_missing": "Choose a bank from the list.",
    "username_label": "User name or RUT",
    "username_hint": "With any, refreshes succeed. Script words between commas, such as “mfa,succeeds”, choose what "
    "happens to each.",
    "username_missing": "Type a user name: any will do.",
    "password_label": "Password",
    "password_hint": "Any is right, except “wrong”.",
    "password_missing": "Type a password: any will do.",
    "login_refused": "The bank refused the login. Try another password.",
    "connect": "Connect",
    "close": "Close",
    "code_title": "Enter your bank's code",
    "code_text": "Open the app of {bank}: it shows you a code. Type it here to refresh your movements.",
    "your_bank": "your bank",
    "time_left": "Time left",
    "clock_stands": "The emulator's clock stands still.",
    "clock_runs": "The emulator's clock runs {speed} times as fast as yours.",
    "code_label": "Code",
    "code_hint": "Any code is right, except “0000”.",
    "code_missing": "Type a code: any will do, except “0000”.",
    "send_code": "Send the code",
    "walk_away": "Close without answering",
    "connected_title": "Bank connected",
    "connected_text": "This exchange token is for your application's server, which swaps it once.",
    "exchange_label": "Exchange token",
    "accepted_title": "Code accepted",
    "accepted_text": "The refresh goes on, and your application will hear how it ends. You can close this page.",
    "refused_title": "The bank refused the code",
    "refused_text": "This ends the refresh at {provider}; there is no second try. To try again, your application has "
    "to create a new one.",
    "left_title": "You closed the widget",
    "left_text": "The bank is left without an answer. You can close this page.",
    "expired_title": "Time is up",
    "expired_text": "This token is of no use any more. Your application can start again, with a new one.",
    "stopped_title": "The widget cannot be opened",
    "stopped_text": "The token does not exist, was used, or has expired.",
    "key_text": "The public key with which your application opened the widget is none of this emulator's public keys.",
    "detail": "The emulator says:",
    "back": "Back to the application",
    "offline": "The emulator does not answer. Is it still running?",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"es": _SPANISH, "en": _ENGLISH})


def choose_language(wanted: str | None, accept_language: str) -> str:
    """The language of `TEXTS` that was ``wanted``, else the best of an ``Accept-Language`` header, else English."""
    if wanted is not None and wanted in TEXTS:
        return wanted
    ranked = sorted(map(_weighed, accept_language.split(",")), reverse=True, key=lambda one: one[0])
    return next((tag for weight, tag in ranked if weight and tag in TEXTS), DEFAULT_LANGUAGE)


def _weighed(choice: str) -> tuple[float, str]:
    """One choice of the header, ``es-CL;q=0.8``, as its weight and the language alone; nonsense weighs nothing."""
    tag, _, parameter = choice.partition(";")
    try:
        weight = float(parameter.strip().removeprefix("q=") or 1)
    except ValueError:
        weight = 0.0
    return weight, tag.strip().lower().partition("-")[0]
