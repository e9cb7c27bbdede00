# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_goodcache_global_optspecs
    string join \n config= v/verbose q/quiet color= cluster= user= password-file= tls cacert= cert= key= sni= insecure node-map= docker-map= deadline= h/help V/version
end

function __fish_goodcache_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_goodcache_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_goodcache_using_subcommand
    set -l cmd (__fish_goodcache_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c goodcache -n "__fish_goodcache_needs_command" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_needs_command" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_needs_command" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_needs_command" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_needs_command" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_needs_command" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_needs_command" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_needs_command" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_needs_command" -s V -l version -d 'Print version'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "create" -d 'Make a cluster of servers that run already, of containers, or of local processes'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "check" -d 'Ask every node by every path and tell whether the cluster is healthy'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "destroy" -d 'Take away a cluster that create made'
complete -c goodcache -n "__fish_goodcache_needs_command" -f -a "generate" -d 'Write shell completions or man pages'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l nodes -d 'Join these servers, which run already and are empty (comma-separated)' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l masters -d 'Masters [default: 3, or as many as --nodes allow]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l replicas -d 'Replicas of each master [default: 1]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l zone -d 'Tell which zone a node stands in; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l require-tolerate -d 'Refuse unless the loss of any one host, or zone, can be borne' -r -f -a "host\t'Any one host'
zone\t'Any one zone'"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l node-timeout -d 'Call a node failing when it was silent for this long [default: 5s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l image -d 'With --docker: the image [default: redis:7-alpine]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l base-port -d 'The first node\'s port, the others follow [default: 7001]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l bind -d 'Listen, or publish ports, on this address [default: 127.0.0.1]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l write-compose -d 'With --docker: write a compose file instead of making anything' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l server -d 'With --local: the redis-server or valkey-server to run [default: the one in PATH]' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l dir -d 'With --local: the folder that holds the nodes\' data' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l timeout -d 'Give up when the cluster is not usable after this long [default: 60s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l docker -d 'Make a container for each node'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l local -d 'Start a server process on this machine for each node'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l allow-small -d 'Allow one or two masters, which cannot elect a successor'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l dry-run -d 'Show the plan and change nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s y -l yes -d 'Do not ask before changing anything'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l sample -d 'Measure rates over two looks this far apart; 0s looks once [default: 1s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l zone -d 'Tell which zone a node stands in; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l profile -d 'What the cluster is for [default: cache]' -r -f -a "cache\t''
session\t''
durable\t''
queue\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l fail-on -d 'Exit with 3 from this severity on [default: critical]' -r -f -a "critical\t'Critical findings only'
warning\t'Warnings too'
never\t'Never: the exit code tells only whether it could be looked'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l watch -d 'Look again and again [default: every 2s, or REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l wait -d 'Look until the cluster is healthy' -r -f -a "healthy\t'Every node answers, and nothing is as grave as --fail-on'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l timeout -d 'With --wait: give up after this long [default: 60s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l save-survey -d 'Save all that was seen' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l from -d 'Judge a saved survey instead of a cluster' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l against -d 'Tell what changed since a saved survey' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l explain -d 'Explain a finding\'s code and look at nothing' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''
prometheus\t''
nagios\t''
junit\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l canary -d 'Also write a key to each shard and time how long its replicas take to have it'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l deep -d 'Also look for keys in nodes that do not own their slot'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l confirm -d 'Say yes by repeating the name, instead of typing it when asked' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s o -l output -d 'Write the answer as [default: table]' -r -f -a "table\t''
markdown\t''
json\t''"
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l dry-run -d 'Show what would be removed and remove nothing'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand destroy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l config -d 'Read settings from FILE instead of ./goodcache.yaml' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l color -d 'Colour the output' -r -f -a "auto\t'On a terminal only'
always\t'Always'
never\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l cluster -d 'Take this cluster\'s settings, from goodcache.yaml or from what create saved' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l user -d 'Log in as this ACL user' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l password-file -d 'Read the password from the first line of FILE (\'-\' is stdin)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l cacert -d 'Trust the certificates in FILE (PEM) instead of the system\'s' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l cert -d 'Show the servers this client certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l key -d 'The key of that certificate (PEM)' -r -F
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l sni -d 'Ask for, and verify, this server name instead of the address\'s host' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l node-map -d 'Reach an announced address at another one; may be repeated' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l docker-map -d 'Ask Docker where announced addresses can be reached [default: auto]' -r -f -a "auto\t'When an announced address cannot be reached and an engine is there'
on\t'Always; no engine is an error'
off\t'Never'"
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l deadline -d 'Give each call to a node this long [default: 2s]' -r
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -s v -l verbose -d 'Show on stderr each setting and where it came from'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -s q -l quiet -d 'Say nothing on stderr but errors'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l tls -d 'Speak TLS (any of the flags below, or a rediss:// address, says so too)'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -l insecure -d 'Accept any certificate: no protection against an impostor'
complete -c goodcache -n "__fish_goodcache_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
